//! Gives finished files the record of what made them, and names them for the statement.

use std::fs::File;
use std::io;
use std::path::Path;

use trellis_backend::{Content, stamp, unstamped};
use trellis_core::{Format, Provenance, Sha256};
use trellis_provenance::Subject;

use super::pieces::Piece;

/// Files as they will be written.
pub(crate) struct Stamped {
    pub(crate) files: Vec<Piece>,
    pub(crate) subjects: Vec<Subject>,
    /// Of files that could not be given the record.
    pub(crate) notes: Vec<String>,
}

/// Stamps them. Blocks.
pub(crate) fn stamped(files: Vec<Piece>, provenance: &Provenance, scratch: &Path) -> io::Result<Stamped> {
    let mut done = Stamped {
        files: Vec::new(),
        subjects: Vec::new(),
        notes: Vec::new(),
    };
    for mut file in files {
        if file.format == Format::Glb {
            match stamp(&file.content, provenance, scratch) {
                Ok(stamped) => file.content = stamped,
                Err(error) => done.notes.push(unstamped(&file.name, &error)),
            }
        }
        let (_, sha256) = match &file.content {
            Content::Bytes(bytes) => Sha256::of_reader(bytes.as_ref())?,
            Content::File(path) => Sha256::of_reader(File::open(path)?)?,
        };
        done.subjects.push(Subject {
            name: file.name.clone(),
            sha256,
            media_type: file.media_type.to_owned(),
        });
        done.files.push(file);
    }
    Ok(done)
}
