//! Reads what is to be compared: the GLB with its record, and pictures.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use trellis_core::Provenance;
use trellis_jobs::sha256;
use trellis_provenance::glb::{self, GlbError};

use crate::exit::Stop;
use crate::nearby;

/// A GLB and what it says of itself.
pub(super) struct Recorded {
    pub(super) bytes: Bytes,
    pub(super) sha256: String,
    pub(super) provenance: Provenance,
}

impl Recorded {
    pub(super) fn read(path: &Path) -> Result<Self, Stop> {
        let bytes = read(path)?;
        let provenance = glb::read(&mut bytes.as_ref()).map_err(|error| {
            let hint = match error {
                GlbError::Absent => "only a GLB that trellis-server made carries its provenance",
                GlbError::Record { .. } => "it may be of a newer version: verify it with that one",
                _ => "name a GLB that trellis-server made",
            };
            let cause = anyhow::Error::new(error).context(format!("cannot verify `{}`", path.display()));
            Stop::not_started(cause).hint(hint)
        })?;
        Ok(Self {
            sha256: sha256(&bytes),
            bytes,
            provenance,
        })
    }
}

/// Reads pictures.
pub(super) fn pictures(paths: &[PathBuf]) -> Result<Vec<Bytes>, Stop> {
    paths.iter().map(|path| read(path)).collect()
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Bytes, Stop> {
    let read = std::fs::read(path).map(Bytes::from);
    read.map_err(|error: io::Error| {
        let hint = nearby::hint(path, &error);
        let cause = anyhow::Error::new(error).context(format!("cannot read `{}`", path.display()));
        Stop::not_started(cause).hint(hint.unwrap_or_else(|| "check the file's permissions".to_owned()))
    })
}
