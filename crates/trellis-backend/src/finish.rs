//! From what a backend made to what is delivered: the record in the GLB, each file's digest, the statement about
//! all of them.
//!
//! The server's runner and `trellis generate` both end here. A file that a backend left on disk is read once: what
//! is read is stamped, digested and written on the way. Not here: where the files are kept.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tracing::error;
use trellis_core::{Failure, FailureKind, Format, JobId, Params, Provenance, Sha256, Sha256Hasher, Timings};
use trellis_provenance::glb::{self, GlbError};
use trellis_provenance::{Run, Subject};

use crate::{Backend, Content, Made, Origin, Output, Pictures, StatementText};

/// How much is read and written at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// A job whose result is finished.
#[derive(Debug, Clone)]
pub struct Finishing {
    /// Its name.
    pub job: JobId,
    /// When work on it began.
    pub began_at: Timestamp,
    /// What it was made from.
    pub pictures: Pictures,
    /// What was asked.
    pub params: Params,
    /// The folder that the backend was given; its files must lie in there.
    pub scratch: PathBuf,
}

/// A file as it is delivered: a backend's file, or a part of one.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its name without folders.
    pub name: String,
    /// What it is, or is a part of.
    pub format: Format,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub content: Content,
}

impl From<Made> for Piece {
    fn from(made: Made) -> Self {
        Self {
            name: made.name,
            format: made.format,
            media_type: made.format.media_type(),
            content: made.content,
        }
    }
}

/// A finished file.
#[derive(Debug, Clone)]
pub struct FinishedFile {
    /// The file, with its record.
    pub piece: Piece,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// A finished result.
#[derive(Debug)]
pub struct Finished {
    /// The files of each format, in the order in which the formats were asked for.
    pub files: Vec<FinishedFile>,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// What making it took.
    pub timings: Timings,
    /// What made it.
    pub provenance: Provenance,
    /// The statement about it, where there is to be one.
    pub statement: Option<StatementText>,
}

impl Origin {
    /// Checks what a backend made, stamps and digests it and states what made it. `shape` says how each file is
    /// delivered: as it is, under another name, or in parts.
    ///
    /// Fails where a format is missing, a name is not plain or taken, or a file is not the job's own.
    pub async fn finish(
        &self,
        backend: &dyn Backend,
        job: Finishing,
        output: Output,
        shape: impl Fn(Made) -> Result<Vec<Piece>, Failure> + Send + 'static,
    ) -> Result<Finished, Failure> {
        let provenance = self.provenance(backend, job.pictures, &job.params, &output.made_with);
        let made = checked(output.files, &job.params.formats)?;
        let (record, scratch) = (provenance.clone(), job.scratch);
        let finished = tokio::task::spawn_blocking(move || finish_all(made, &record, &scratch, shape));
        let (files, more) = finished
            .await
            .map_err(|_| internal("finishing the files crashed"))??;
        let subjects: Vec<Subject> = files.iter().map(subject).collect();
        let run = Run {
            id: job.job.to_string(),
            started_at: job.began_at,
            finished_at: Timestamp::now(),
        };
        Ok(Finished {
            statement: self.statement(&subjects, &provenance, &run),
            files,
            notes: output.notes.into_iter().chain(more).collect(),
            timings: output.timings,
            provenance,
        })
    }
}

/// One file of each format, in the order of the formats.
fn checked(mut files: Vec<Made>, formats: &[Format]) -> Result<Vec<Made>, Failure> {
    if let Some(file) = files.iter().find(|file| !is_plain(&file.name)) {
        let name = file.name.escape_debug();
        return Err(internal(format!("the backend named a file `{name}`")));
    }
    let is_twice =
        |(index, file): &(usize, &Made)| files[..*index].iter().any(|other| other.name == file.name);
    if let Some((_, file)) = files.iter().enumerate().find(is_twice) {
        return Err(internal(format!("the backend made `{}` twice", file.name)));
    }
    let mut found = Vec::new();
    for format in formats {
        let at = files.iter().position(|file| file.format == *format);
        let at = at.ok_or_else(|| internal(format!("the backend left out `{format}`")))?;
        found.push(files.remove(at));
    }
    Ok(found)
}

/// One path segment that means the same in a URL, in a header and on every file system.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// The files, and notes on those without a record.
fn finish_all(
    made: Vec<Made>,
    record: &Provenance,
    scratch: &Path,
    shape: impl Fn(Made) -> Result<Vec<Piece>, Failure>,
) -> Result<(Vec<FinishedFile>, Vec<String>), Failure> {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    for mut file in made {
        if let Content::File(path) = &file.content {
            file.content = Content::File(inside(scratch, path)?);
        }
        for piece in shape(file)? {
            files.push(finish_one(piece, record, scratch, &mut notes)?);
        }
    }
    Ok((files, notes))
}

fn finish_one(
    piece: Piece,
    record: &Provenance,
    scratch: &Path,
    notes: &mut Vec<String>,
) -> Result<FinishedFile, Failure> {
    if piece.format == Format::Glb {
        match stamp(&piece.content, record, scratch) {
            Ok((content, (size_bytes, sha256))) => {
                return Ok(FinishedFile {
                    piece: Piece { content, ..piece },
                    size_bytes,
                    sha256,
                });
            }
            // It is the result all the same.
            Err(error) => notes.push(format!("`{}` carries no provenance: {error}", piece.name)),
        }
    }
    let (size_bytes, sha256) = digest(&piece.content).map_err(|cause| unreadable(&cause))?;
    Ok(FinishedFile {
        piece,
        size_bytes,
        sha256,
    })
}

/// The file, provided that it is really in the folder that the backend was given.
fn inside(scratch: &Path, path: &Path) -> Result<PathBuf, Failure> {
    let real = |path: &Path| fs::canonicalize(path).map_err(|cause| unreadable(&cause));
    let path = real(path)?;
    if path.starts_with(real(scratch)?) {
        return Ok(path);
    }
    Err(internal("the backend named a file outside its folder"))
}

type Digest = (u64, Sha256);

/// Writes the record into a GLB, digesting what is written. One that is a file gets a new file in `folder`.
fn stamp(content: &Content, record: &Provenance, folder: &Path) -> Result<(Content, Digest), GlbError> {
    let io = |source| GlbError::Io { source };
    match content {
        Content::Bytes(bytes) => {
            // The record takes less than this, whatever it says.
            let mut out = Digesting::new(Vec::with_capacity(bytes.len() + 4096));
            glb::stamp(&mut bytes.as_ref(), &mut out, record)?;
            Ok((Content::Bytes(out.sink.into()), out.digest.finish()))
        }
        Content::File(path) => {
            let mut source = File::open(path).map_err(io)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stamped = folder.join(format!("{name}.stamped"));
            let sink = Digesting::new(File::create(&stamped).map_err(io)?);
            // Whole buffers are digested and written, whatever is read at a time.
            let mut sink = BufWriter::with_capacity(BUFFER_BYTES, sink);
            glb::stamp(&mut source, &mut sink, record)?;
            let written = sink.into_inner().map_err(|error| io(error.into_error()))?;
            Ok((Content::File(stamped), written.digest.finish()))
        }
    }
}

fn digest(content: &Content) -> io::Result<Digest> {
    match content {
        Content::Bytes(bytes) => Ok((bytes.len() as u64, Sha256::of(bytes))),
        Content::File(path) => Sha256::of_reader(File::open(path)?),
    }
}

/// Digests what goes through.
struct Digesting<W> {
    sink: W,
    digest: Sha256Hasher,
}

impl<W> Digesting<W> {
    fn new(sink: W) -> Self {
        Self {
            sink,
            digest: Sha256Hasher::default(),
        }
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

fn subject(file: &FinishedFile) -> Subject {
    Subject {
        name: file.piece.name.clone(),
        sha256: file.sha256,
        media_type: file.piece.media_type.to_owned(),
    }
}

fn unreadable(cause: &io::Error) -> Failure {
    error!(%cause, "a file of the backend cannot be read");
    internal("a file of the backend cannot be read")
}

fn internal(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Internal, message)
}

#[cfg(test)]
mod tests;
