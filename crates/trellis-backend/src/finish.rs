//! From what a backend made to what is delivered: each file read as its format says, the record in the GLB, digests,
//! the statement about all of them.
//!
//! The server's runner and `trellis generate` both end here. A file that a backend left on disk is copied first, a GLB
//! with the record put into it on the way: what is read and digested afterwards is the copy, which no worker has open,
//! and the copy is what is delivered. Not here: what makes a file fit (`reading/`); where the files are kept.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Cursor, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tracing::error;
use trellis_core::{
    Failure, FailureKind, Format, JobId, Params, Provenance, Sha256, Sha256Hasher, Timings, is_plain_name,
    plain_line,
};
use trellis_provenance::glb::{self, GlbError};
use trellis_provenance::{Run, Subject};

use crate::reading::look;
use crate::{Backend, Content, Made, Origin, Output, Pictures, StatementText, open_left};

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

/// What was sampled, in a file that no worker has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLatents {
    /// The file, in the scratch folder.
    pub path: PathBuf,
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
    /// What was sampled for them, where it was to be kept.
    pub latents: Option<KeptLatents>,
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
    /// Fails where a format is missing, a name is not plain or taken, a file is not the job's own, cannot be read, or
    /// holds no object.
    pub async fn finish(
        &self,
        backend: &dyn Backend,
        job: Finishing,
        output: Output,
        shape: impl Fn(Made) -> Result<Vec<Piece>, Failure> + Send + 'static,
    ) -> Result<Finished, Failure> {
        let provenance = self.provenance(backend, job.pictures, &job.params, &output.made_with);
        let made = checked(output.files, &job.params.formats)?;
        let (record, scratch, latents) = (provenance.clone(), job.scratch, output.latents);
        let finished = tokio::task::spawn_blocking(move || {
            let files = finish_all(made, &record, &scratch, shape)?;
            let latents = latents.map(|path| copied(&path, &scratch)).transpose()?;
            Ok::<_, Failure>((files, latents))
        });
        let (files, latents) = finished
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
            latents,
            notes: output.notes,
            timings: output.timings,
            provenance,
        })
    }
}

/// One file of each format, in the order of the formats.
fn checked(mut files: Vec<Made>, formats: &[Format]) -> Result<Vec<Made>, Failure> {
    if let Some(file) = files.iter().find(|file| !is_plain_name(&file.name)) {
        let name = plain_line(&file.name, 100);
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

fn finish_all(
    made: Vec<Made>,
    record: &Provenance,
    scratch: &Path,
    shape: impl Fn(Made) -> Result<Vec<Piece>, Failure>,
) -> Result<Vec<FinishedFile>, Failure> {
    let mut files = Vec::new();
    for file in made {
        for piece in shape(taken(file, scratch)?)? {
            files.push(finish_one(piece, record, scratch)?);
        }
    }
    Ok(files)
}

/// The file as it is worked on from here: read, and if it is on disk, a copy. A GLB is copied and read later.
fn taken(mut file: Made, scratch: &Path) -> Result<Made, Failure> {
    if file.format == Format::Glb {
        return Ok(file);
    }
    match &file.content {
        Content::Bytes(bytes) => read(
            file.format,
            &file.name,
            &mut Cursor::new(bytes),
            bytes.len() as u64,
        )?,
        Content::File(path) => {
            let (mut source, size) = open_left(scratch, path)?;
            let place = scratch.join(format!("{}.taken", file.name));
            let copied = create(&place).and_then(|mut copy| {
                // Of a file that still grows, what was there.
                let copied = io::copy(&mut (&mut source).take(size), &mut copy)?;
                Ok((copy, copied))
            });
            let (mut copy, copied) = copied.map_err(|cause| not_written(&cause))?;
            read(file.format, &file.name, &mut copy, copied)?;
            file.content = Content::File(place);
        }
    }
    Ok(file)
}

/// A copy of what was sampled, digested as it is written.
fn copied(path: &Path, scratch: &Path) -> Result<KeptLatents, Failure> {
    let (mut source, size) = open_left(scratch, path)?;
    let place = scratch.join("latents.taken");
    let written = create(&place).and_then(|sink| {
        let mut sink = BufWriter::with_capacity(BUFFER_BYTES, Digesting::new(sink));
        io::copy(&mut (&mut source).take(size), &mut sink)?;
        sink.into_inner().map_err(io::IntoInnerError::into_error)
    });
    let (size_bytes, sha256) = written.map_err(|cause| not_written(&cause))?.digest.finish();
    Ok(KeptLatents {
        path: place,
        size_bytes,
        sha256,
    })
}

/// Whether it can be delivered.
fn read(format: Format, name: &str, source: &mut (impl Read + Seek), size: u64) -> Result<(), Failure> {
    look(format, source, size).map_err(|unfit| {
        error!(%name, error = &unfit as &dyn std::error::Error, "a file from the backend is not delivered");
        unfit.failure(name)
    })
}

fn finish_one(piece: Piece, record: &Provenance, scratch: &Path) -> Result<FinishedFile, Failure> {
    let (content, (size_bytes, sha256)) = if piece.format == Format::Glb {
        stamp(&piece, record, scratch)?
    } else {
        let digest = digest(&piece.content).map_err(|cause| unreadable(&cause))?;
        (piece.content, digest)
    };
    Ok(FinishedFile {
        piece: Piece { content, ..piece },
        size_bytes,
        sha256,
    })
}

type Digest = (u64, Sha256);

/// Writes the record into a GLB, digesting what is written, and reads the result. One that is a file gets a new file
/// in `folder`.
fn stamp(piece: &Piece, record: &Provenance, folder: &Path) -> Result<(Content, Digest), Failure> {
    let unfit = |error: GlbError| unstamped(&piece.name, &error);
    match &piece.content {
        Content::Bytes(bytes) => {
            // The record takes less than this, whatever it says.
            let mut out = Digesting::new(Vec::with_capacity(bytes.len() + 4096));
            glb::stamp(&mut bytes.as_ref(), &mut out, record).map_err(unfit)?;
            let digest = out.digest.finish();
            read(Format::Glb, &piece.name, &mut Cursor::new(&out.sink), digest.0)?;
            Ok((Content::Bytes(out.sink.into()), digest))
        }
        Content::File(path) => {
            let (mut source, _) = open_left(folder, path)?;
            let stamped = folder.join(format!("{}.stamped", piece.name));
            let sink = create(&stamped).map_err(|cause| not_written(&cause))?;
            // Whole buffers are digested and written, whatever is read at a time.
            let mut sink = BufWriter::with_capacity(BUFFER_BYTES, Digesting::new(sink));
            glb::stamp(&mut source, &mut sink, record).map_err(unfit)?;
            let written = sink.into_inner().map_err(|error| not_written(error.error()))?;
            let (mut copy, digest) = (written.sink, written.digest.finish());
            read(Format::Glb, &piece.name, &mut copy, digest.0)?;
            Ok((Content::File(stamped), digest))
        }
    }
}

/// A new file of ours. Whatever a backend left under that name is not followed and not replaced.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
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
    error!(%cause, "a file from the backend cannot be read");
    internal("a file from the backend cannot be read")
}

fn unstamped(name: &str, error: &GlbError) -> Failure {
    if let GlbError::Io { source } = error {
        return not_written(source);
    }
    error!(%name, error = error as &dyn std::error::Error, "a file from the backend is not delivered");
    internal(format!("`{name}` cannot be read: {error}"))
}

fn not_written(cause: &io::Error) -> Failure {
    error!(%cause, "a file from the backend cannot be stored");
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::new(
            FailureKind::StorageFull,
            "no space to store the result: the disk is full",
        ),
        _ => internal("the result cannot be stored"),
    }
}

fn internal(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Internal, message)
}

#[cfg(test)]
mod tests;
