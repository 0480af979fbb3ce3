//! Digests of files: sha256 for locks, git's blob id for what a hub keeps outside LFS.
//!
//! Files are hashed in parallel, the largest first so that no core is left with one at the end; a file is
//! one chain of blocks and can't be split. The system reads ahead of the hash (`POSIX_FADV_SEQUENTIAL`), so
//! on a cold disk reading and hashing overlap without a thread of our own.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use data_encoding::HEXLOWER;
use rayon::prelude::*;
use sha1::{Digest as _, Sha1};
use trellis_core::{Sha256, Sha256Hasher};

/// Large enough that system calls cost nothing beside the hash, small enough for the second-level cache.
const BUFFER_BYTES: usize = 256 << 10;

/// Told of bytes as they are hashed.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Sync);

/// How files and folders are hashed.
#[derive(Clone, Copy)]
pub struct Hashing<'a> {
    /// Told of bytes as they are hashed.
    pub on_bytes: OnBytes<'a>,
    /// The NAR hash of a folder in Nix's form, `sha256-…`. Handed in: the one walker is in `trellis-closure`.
    pub folder: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// A file's sha256.
pub fn sha256(path: &Path, on_bytes: OnBytes<'_>) -> io::Result<Sha256> {
    let mut hash = Sha256Hasher::default();
    feed(File::open(path)?, |block| {
        hash.update(block);
        on_bytes(block.len() as u64);
    })?;
    Ok(hash.finish().1)
}

/// A file's id as a git blob, in hexadecimal: SHA-1 over `blob LENGTH\0` and the bytes.
pub fn git_blob_id(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", file.metadata()?.len()));
    feed(file, |block| hash.update(block))?;
    Ok(HEXLOWER.encode(&hash.finalize()))
}

/// The sha256 of each file, in the order given, hashed in parallel.
pub fn sha256_all<P: AsRef<Path> + Sync>(paths: &[P], on_bytes: OnBytes<'_>) -> Vec<io::Result<Sha256>> {
    let bytes = |path: &P| std::fs::metadata(path.as_ref()).map_or(0, |meta| meta.len());
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by_key(|&index| Reverse(bytes(&paths[index])));
    // One task a file, handed out one by one: rayon's own splitting would tie neighbours together.
    let mut done: Vec<(usize, io::Result<Sha256>)> = order
        .into_par_iter()
        .with_max_len(1)
        .map(|index| (index, sha256(paths[index].as_ref(), on_bytes)))
        .collect();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, digest)| digest).collect()
}

fn feed(mut file: File, mut update: impl FnMut(&[u8])) -> io::Result<()> {
    // Advice only: a file system that does not take it still reads.
    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_published_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "abc").unwrap();
        let hashed = std::sync::atomic::AtomicU64::new(0);
        let digest = sha256(&path, &|bytes| {
            hashed.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        });
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.unwrap().to_string(), abc);
        assert_eq!(hashed.into_inner(), 3);
        // `git hash-object` of an empty file.
        std::fs::write(&path, "").unwrap();
        assert_eq!(
            git_blob_id(&path).unwrap(),
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        );
    }

    #[test]
    fn keeps_the_order_and_each_file_s_own_error() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..9).map(|n| folder.path().join(n.to_string())).collect();
        for (n, path) in paths.iter().enumerate().filter(|(n, _)| *n != 4) {
            std::fs::write(path, vec![7; n * 1000]).unwrap();
        }
        let all = sha256_all(&paths, &|_| {});
        for (path, digest) in paths.iter().zip(all) {
            match sha256(path, &|_| {}) {
                Ok(alone) => assert_eq!(digest.unwrap(), alone),
                Err(_) => assert!(digest.is_err()),
            }
        }
    }
}
