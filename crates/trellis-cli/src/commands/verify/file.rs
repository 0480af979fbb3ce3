//! Reads what is to be compared: the file with its record or the one in the statement about it, and pictures.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use trellis_core::{Provenance, Sha256};
use trellis_provenance::glb::{self, GlbError};

use crate::error::CliError;

/// A file and what is said of how it was made.
pub(super) struct Recorded {
    pub(super) bytes: Bytes,
    pub(super) sha256: Sha256,
    pub(super) provenance: Provenance,
    /// Whether the file itself says it, as a GLB does; else the statement alone.
    pub(super) by_itself: bool,
}

impl Recorded {
    /// `stated` is the record of a statement, for a file that has no place for one.
    pub(super) fn read(path: &Path, stated: Option<Provenance>) -> Result<Self, CliError> {
        let bytes = read(path)?;
        let own = match (glb::read(&mut bytes.as_ref()), stated) {
            (Err(GlbError::NotGlb), Some(stated)) => Ok((stated, false)),
            (read, _) => read.map(|record| (record, true)),
        };
        let (provenance, by_itself) = own.map_err(|error| {
            let hint = match error {
                GlbError::Absent => "only a GLB that trellis-server made carries its provenance",
                GlbError::Record { .. } => "it may be of a newer version: verify it with that one",
                GlbError::NotGlb => {
                    "name a GLB that trellis-server made; for another file, name its statement with `--statement`"
                }
                _ => "name a GLB that trellis-server made",
            };
            CliError::not_started(error)
                .context(format!("cannot verify `{}`", path.display()))
                .hint(hint)
        })?;
        Ok(Self {
            sha256: Sha256::of(&bytes),
            bytes,
            provenance,
            by_itself,
        })
    }
}

/// Reads pictures.
pub(super) fn pictures(paths: &[PathBuf]) -> Result<Vec<Bytes>, CliError> {
    paths.iter().map(|path| read(path)).collect()
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Bytes, CliError> {
    let read = std::fs::read(path).map(Bytes::from);
    read.map_err(|error| CliError::unreadable(path, &error))
}
