//! Reads what is to be compared: the file with its record or the one in the statement about it, and pictures.

use std::path::Path;

use bytes::Bytes;
use trellis_backend::verify::{Recorded, Stated};
use trellis_core::Provenance;
use trellis_provenance::glb::GlbError;

use crate::error::CliError;

/// Reads a result. `stated` is the record of a statement, for a file that has no place for one.
pub(super) fn recorded(path: &Path, stated: Option<Provenance>) -> Result<Recorded, CliError> {
    Recorded::read(read(path)?, stated).map_err(|error| {
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
    })
}

/// Reads a statement.
pub(super) fn statement(path: &Path) -> Result<Stated, CliError> {
    Stated::parse(&read(path)?).map_err(|error| {
        CliError::not_started(error)
            .context(format!("`{}` is not a statement", path.display()))
            .hint("name the `.intoto.json` or `.intoto.dsse.json` of the result")
    })
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Bytes, CliError> {
    let read = std::fs::read(path).map(Bytes::from);
    read.map_err(|error| CliError::unreadable(path, &error))
}
