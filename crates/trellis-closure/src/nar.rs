//! The hash that Nix gives a file tree: SHA-256 over its archive form (NAR), and the archive's size.
//!
//! Reading runs ahead of hashing (`nar/blocks.rs`), the tree is read as `nar/dump.rs` says; the format itself
//! is `nix-compat`'s. Several trees are hashed at once by calling this from several threads.

mod blocks;
mod dump;

use std::path::Path;

use nix_compat::nixhash::NixHash;
use sha2::{Digest as _, Sha256};

use self::blocks::{Blocks, Consume};
use crate::error::ClosureError;
use crate::scan::{Hits, Scanner};

/// Told of bytes as they are hashed, from several threads.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Sync);

/// The NAR hash of a file, folder or symlink, and the size of its archive in bytes.
pub fn hash_path(path: &Path) -> Result<(NixHash, u64), ClosureError> {
    hash_path_with(path, &|_| {})
}

/// As [`hash_path`], telling of the archive's bytes as they go.
pub fn hash_path_with(path: &Path, on_bytes: OnBytes<'_>) -> Result<(NixHash, u64), ClosureError> {
    consumed(path, Hash::new(on_bytes)).map(Hash::finish)
}

/// Hashes a tree and finds which of the candidates' hash parts occur in it, in one pass.
pub(crate) fn scan_path(path: &Path, scanner: Scanner<'_>) -> Result<(NixHash, u64, Hits), ClosureError> {
    let both = HashAndScan(Hash::new(&|_| {}), scanner);
    let HashAndScan(hash, scanner) = consumed(path, both)?;
    let (digest, size) = hash.finish();
    Ok((digest, size, scanner.into_hits()))
}

fn consumed<C: Consume>(path: &Path, consume: C) -> Result<C, ClosureError> {
    std::thread::scope(|scope| {
        let mut blocks = Blocks::new(scope, consume);
        dump::dump(path, &mut blocks)?;
        Ok(blocks.finish())
    })
}

struct Hash<'a> {
    sha256: Sha256,
    bytes: u64,
    on_bytes: OnBytes<'a>,
}

impl<'a> Hash<'a> {
    fn new(on_bytes: OnBytes<'a>) -> Self {
        Self {
            sha256: Sha256::new(),
            bytes: 0,
            on_bytes,
        }
    }

    fn finish(self) -> (NixHash, u64) {
        (NixHash::Sha256(self.sha256.finalize().into()), self.bytes)
    }
}

impl Consume for Hash<'_> {
    fn consume(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        (self.on_bytes)(bytes.len() as u64);
    }
}

struct HashAndScan<'a>(Hash<'a>, Scanner<'a>);

impl Consume for HashAndScan<'_> {
    fn consume(&mut self, bytes: &[u8]) {
        self.0.consume(bytes);
        self.1.feed(bytes);
    }
}
