//! Paths whose name follows from their content: is it the name that this content gives?
//!
//! The path is computed from the address in every case. The content is held against the address where that takes
//! SHA-256: archives without references to themselves, texts, and files fetched by hash. For the others (an
//! archive that names itself is hashed with its own name blanked out, and MD5, SHA-1 and SHA-512 are not needed
//! by anything here) the NAR hash has to do.

use std::fs::File;
use std::io;
use std::path::Path;

use nix_compat::nixhash::{CAHash, NixHash};
use nix_compat::store_path::{StorePath, build_ca_path};
use sha2::{Digest as _, Sha256};

use super::Problem;
use crate::error::ClosureError;
use crate::path_info::PathInfo;

/// Checks a path's content address against its name and its files, whose NAR hash is `found`.
pub(super) fn check(files: &Path, info: &PathInfo, ca: &CAHash, found: &NixHash) -> Result<(), Problem> {
    let itself = info.references.contains(&info.path);
    let others = info
        .references
        .iter()
        .filter(|reference| **reference != info.path);
    let others = others.map(StorePath::to_absolute_path);
    let computed: StorePath<String> =
        build_ca_path(info.path.name(), ca, others, itself).map_err(|_| Problem::BadContentAddress)?;
    if computed != info.path {
        return Err(Problem::OtherPath {
            computed: computed.to_absolute_path(),
        });
    }
    let expected = ca.hash();
    let found = match (ca, &*expected) {
        (CAHash::Nar(_), NixHash::Sha256(_)) if !itself => found.clone(),
        (CAHash::Flat(_) | CAHash::Text(_), NixHash::Sha256(_)) => {
            flat(files).map_err(|error| Problem::unreadable(&error))?
        }
        _ => return Ok(()),
    };
    if found == *expected {
        return Ok(());
    }
    Err(Problem::OtherContent {
        found: found.to_nix_nixbase32(),
        expected: expected.to_nix_nixbase32(),
    })
}

/// SHA-256 of a file's bytes, without the archive around them.
fn flat(file: &Path) -> Result<NixHash, ClosureError> {
    let mut sink = Sink(Sha256::new());
    let copied = File::open(file).and_then(|mut file| io::copy(&mut file, &mut sink));
    match copied {
        Ok(_) => Ok(NixHash::Sha256(sink.0.finalize().into())),
        Err(source) => Err(ClosureError::Unreadable {
            path: file.to_owned(),
            source,
        }),
    }
}

struct Sink(Sha256);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
