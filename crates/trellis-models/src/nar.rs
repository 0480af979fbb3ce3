//! The hash that Nix gives a folder: sha256 over its archive form (NAR).
//!
//! Format: the Nix manual's "Nix Archive" chapter. Strings are a 64-bit little-endian length, the bytes and
//! zeros up to a multiple of eight; entries are sorted by their bytes; of permissions only the executable bit
//! counts. Used to verify DINOv2's source, whose hash at the pinned commit is publicly locked.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::hash::sri;

/// Deeper trees are refused: no source tree is, and each level costs stack.
const MAX_DEPTH: usize = 64;

/// The NAR hash of a file or folder, in Nix's `sha256-…` form.
pub fn hash(path: &Path) -> io::Result<String> {
    let mut writer = Writer(Sha256::new());
    writer.text(b"nix-archive-1");
    writer.node(path, MAX_DEPTH)?;
    Ok(sri(&writer.0.finalize()))
}

struct Writer(Sha256);

impl Writer {
    fn text(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self.pad(bytes.len() as u64);
    }

    fn pad(&mut self, length: u64) {
        let over = usize::try_from(length % 8).unwrap_or(0);
        if over > 0 {
            self.0.update(&[0; 8][over..]);
        }
    }

    fn texts(&mut self, texts: &[&[u8]]) {
        for text in texts {
            self.text(text);
        }
    }

    fn node(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let meta = fs::symlink_metadata(path)?;
        self.text(b"(");
        if meta.is_symlink() {
            let target = fs::read_link(path)?;
            self.texts(&[b"type", b"symlink", b"target", target.as_os_str().as_bytes()]);
        } else if meta.is_dir() {
            let depth = depth
                .checked_sub(1)
                .ok_or_else(|| io::Error::other("the folders are nested too deeply"))?;
            self.texts(&[b"type", b"directory"]);
            for name in sorted_names(path)? {
                self.texts(&[b"entry", b"(", b"name", name.as_bytes(), b"node"]);
                self.node(&path.join(&name), depth)?;
                self.text(b")");
            }
        } else {
            self.texts(&[b"type", b"regular"]);
            if meta.permissions().mode() & 0o100 != 0 {
                self.texts(&[b"executable", b""]);
            }
            self.contents(path, meta.len())?;
        }
        self.text(b")");
        Ok(())
    }

    fn contents(&mut self, path: &Path, length: u64) -> io::Result<()> {
        self.text(b"contents");
        self.0.update(length.to_le_bytes());
        let mut file = File::open(path)?.take(length);
        let mut buffer = vec![0; 64 << 10];
        let mut left = length;
        while left > 0 {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.0.update(&buffer[..read]);
            left -= read as u64;
        }
        self.pad(length);
        Ok(())
    }
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
