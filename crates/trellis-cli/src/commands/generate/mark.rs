//! Gives finished files the record of what made them, and names them for the statement.

use std::fs::File;
use std::io;
use std::path::Path;

use trellis_backend::{Content, stamp, unstamped};
use trellis_core::{Format, Provenance};
use trellis_jobs::sha256_of;
use trellis_provenance::Subject;

/// Files as they will be written.
pub(crate) struct Marked {
    pub(crate) files: Vec<(Format, Content)>,
    pub(crate) subjects: Vec<Subject>,
    /// Of files that could not be given the record.
    pub(crate) notes: Vec<String>,
}

/// Marks them; `names` are those that they will have. Blocks.
pub(crate) fn mark(
    files: Vec<(Format, Content)>,
    names: &[(Format, String)],
    provenance: &Provenance,
    scratch: &Path,
) -> io::Result<Marked> {
    let mut marked = Marked {
        files: Vec::new(),
        subjects: Vec::new(),
        notes: Vec::new(),
    };
    for (format, mut content) in files {
        let found = names.iter().find(|(of, _)| *of == format);
        let name = found.map_or(format.name(), |(_, name)| name).to_owned();
        if format == Format::Glb {
            match stamp(&content, provenance, scratch) {
                Ok(stamped) => content = stamped,
                Err(error) => marked.notes.push(unstamped(&name, &error)),
            }
        }
        let (_, sha256) = match &content {
            Content::Bytes(bytes) => sha256_of(bytes.as_ref())?,
            Content::File(path) => sha256_of(File::open(path)?)?,
        };
        marked.subjects.push(Subject {
            name,
            sha256,
            media_type: format.media_type().to_owned(),
        });
        marked.files.push((format, content));
    }
    Ok(marked)
}
