//! The hash that Nix gives a folder: sha256 over its archive form (NAR, written by `nix-compat`).
//!
//! Used to verify DINOv2's source, whose hash at the pinned commit is publicly locked.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix_compat::nar::writer::{self, Node};
use sha2::{Digest, Sha256};

use crate::hash::sri;

/// Deeper trees are refused: no source tree is, and each level costs stack.
const MAX_DEPTH: usize = 64;

/// The NAR hash of a file or folder, in Nix's `sha256-…` form.
pub fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = Hasher(Sha256::new());
    archive(writer::open(&mut hasher)?, path, MAX_DEPTH)?;
    Ok(sri(&hasher.0.finalize()))
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn archive(node: Node<'_, Hasher>, path: &Path, depth: usize) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    if meta.is_symlink() {
        return node.symlink(fs::read_link(path)?.as_os_str().as_bytes());
    }
    if !meta.is_dir() {
        let executable = meta.permissions().mode() & 0o100 != 0;
        return node.file(executable, meta.len(), &mut BufReader::new(File::open(path)?));
    }
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| io::Error::other("the folders are nested too deeply"))?;
    let mut directory = node.directory()?;
    for name in sorted_names(path)? {
        archive(directory.entry(name.as_bytes())?, &path.join(&name), depth)?;
    }
    directory.close()
}

fn sorted_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_vec()));
    let mut names: Vec<Vec<u8>> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names.into_iter().map(OsString::from_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The archive of a one-file folder, written out by hand from the format.
    #[test]
    fn is_the_sha256_of_the_archive() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("f");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a"), "hi").unwrap();
        let mut archive = Vec::new();
        let words: [&[u8]; 17] = [
            b"nix-archive-1",
            b"(",
            b"type",
            b"directory",
            b"entry",
            b"(",
            b"name",
            b"a",
            b"node",
            b"(",
            b"type",
            b"regular",
            b"contents",
            b"hi",
            b")",
            b")",
            b")",
        ];
        for word in words {
            archive.extend_from_slice(&(word.len() as u64).to_le_bytes());
            archive.extend_from_slice(word);
            archive.resize(archive.len().next_multiple_of(8), 0);
        }
        assert_eq!(hash(&folder).unwrap(), sri(&Sha256::digest(&archive)));
    }
}
