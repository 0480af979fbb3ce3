//! A file on its way: `.NAME.trellis-part` beside its place, and `.NAME.trellis-part.json`, which says which
//! ranges of it are on disk.
//!
//! A range is noted only after its bytes were flushed, so the note never claims what a power cut took. The
//! part is locked while it is open: two programs can't write one file.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::disk_space;
use crate::error::FetchError;

/// The ending of a part.
const PART_ENDING: &str = "trellis-part";
/// The ending of its note.
pub(crate) const NOTE_ENDING: &str = "trellis-part.json";

/// What is known of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// The whole file's digest, or where it comes from if that is not known.
    identity: String,
    size: u64,
    range_bytes: u64,
    /// The ranges on disk, by number.
    done: BTreeSet<u64>,
}

/// A file that is being fetched.
#[derive(Debug)]
pub(crate) struct Partial {
    file: Arc<File>,
    part: PathBuf,
    note_path: PathBuf,
    note: Mutex<Note>,
}

/// A range of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) number: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Bytes of a file that an earlier run left on disk.
pub(crate) fn bytes_done(place: &Path, identity: &str, size: u64) -> u64 {
    let note = fs::read(beside(place, NOTE_ENDING)).ok();
    let note = note.and_then(|text| serde_json::from_slice::<Note>(&text).ok());
    let note = note.filter(|note| note.identity == identity && note.size == size && note.range_bytes > 0);
    note.map_or(0, |note| note.done_bytes())
}

impl Partial {
    /// Opens the part for `place`, with what an earlier run left if that was of the same file.
    pub(crate) fn open(
        place: &Path,
        identity: &str,
        size: u64,
        range_bytes: u64,
    ) -> Result<Self, FetchError> {
        let part = beside(place, PART_ENDING);
        let note_path = beside(place, NOTE_ENDING);
        let fresh = Note {
            identity: identity.to_owned(),
            size,
            range_bytes: range_bytes.max(1),
            done: BTreeSet::new(),
        };
        let open = || {
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder)?;
            }
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&part)
        };
        let file = open().map_err(|source| disk_space::write_error(&part, size, source))?;
        // A file system without locks: two fetches of one file at a time are then the person's care.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(FetchError::Busy {
                path: place.to_owned(),
            });
        }
        let known = fs::read(&note_path)
            .ok()
            .and_then(|text| serde_json::from_slice::<Note>(&text).ok());
        let length = file.metadata().map_or(0, |meta| meta.len());
        let note = match known {
            Some(known)
                if Note {
                    done: BTreeSet::new(),
                    ..known.clone()
                } == fresh
                    && length == size =>
            {
                known
            }
            _ => {
                let emptied = file.set_len(0).and_then(|()| file.set_len(size));
                emptied.map_err(|source| disk_space::write_error(&part, size, source))?;
                fresh
            }
        };
        Ok(Self {
            file: Arc::new(file),
            part,
            note_path,
            note: Mutex::new(note),
        })
    }

    /// The ranges that are not on disk yet.
    pub(crate) fn missing(&self) -> Vec<Span> {
        let note = self.note();
        let numbers = (0..note.size.div_ceil(note.range_bytes)).filter(|n| !note.done.contains(n));
        numbers.map(|number| note.span(number)).collect()
    }

    /// Bytes that are on disk.
    pub(crate) fn done_bytes(&self) -> u64 {
        self.note().done_bytes()
    }

    /// Writes bytes at their place.
    pub(crate) async fn write(&self, at: u64, bytes: Vec<u8>) -> Result<(), FetchError> {
        let file = self.file.clone();
        let length = bytes.len() as u64;
        let write = move || file.write_all_at(&bytes, at);
        blocking(write)
            .await
            .map_err(|source| disk_space::write_error(&self.part, length, source))
    }

    /// Flushes a range and notes it.
    pub(crate) async fn finish(&self, span: Span) -> Result<(), FetchError> {
        let file = self.file.clone();
        let flushed = blocking(move || file.sync_data()).await;
        flushed.map_err(|source| disk_space::write_error(&self.part, 0, source))?;
        let text = {
            let mut note = self.note();
            note.done.insert(span.number);
            serde_json::to_vec(&*note).map_err(io::Error::other)
        };
        let path = self.note_path.clone();
        let write = move || write_note(&path, &text?);
        blocking(write)
            .await
            .map_err(|source| disk_space::write_error(&self.note_path, 0, source))
    }

    /// Bytes of the whole file.
    pub(crate) fn size(&self) -> u64 {
        self.note().size
    }

    /// The part's path, for hashing it.
    pub(crate) fn path(&self) -> &Path {
        &self.part
    }

    /// Puts the whole file in its place.
    pub(crate) fn promote(self, place: &Path) -> Result<(), FetchError> {
        let put = || {
            self.file.sync_all()?;
            fs::rename(&self.part, place)?;
            if let Some(folder) = place.parent() {
                File::open(folder)?.sync_all()?;
            }
            remove(&self.note_path)
        };
        put().map_err(|source| disk_space::write_error(place, 0, source))
    }

    /// Forgets what was received.
    pub(crate) fn discard(self) -> Result<(), FetchError> {
        let gone = remove(&self.note_path).and_then(|()| remove(&self.part));
        gone.map_err(|source| disk_space::write_error(&self.part, 0, source))
    }

    fn note(&self) -> std::sync::MutexGuard<'_, Note> {
        // Nothing that holds the lock can panic half-way: a set insertion and a serialisation.
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Note {
    fn done_bytes(&self) -> u64 {
        let spans = self.done.iter().map(|&number| self.span(number));
        spans.map(|span| span.end.saturating_sub(span.start)).sum()
    }

    fn span(&self, number: u64) -> Span {
        let start = number.saturating_mul(self.range_bytes);
        Span {
            number,
            start,
            end: start.saturating_add(self.range_bytes).min(self.size),
        }
    }
}

/// What a path's part and note are called: hidden, and beside it so that a rename is one step.
pub(crate) fn beside(place: &Path, ending: &str) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{ending}"))
}

fn write_note(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use trellis_core::Explain as _;

    use super::*;

    #[tokio::test]
    async fn keeps_what_was_noted_and_only_that() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("x");
        let open = |identity| Partial::open(&place, identity, 25, 10);
        let partial = open("a").unwrap();
        let spans = partial.missing();
        assert_eq!(
            spans.iter().map(|s| (s.start, s.end)).collect::<Vec<_>>(),
            [(0, 10), (10, 20), (20, 25)]
        );
        assert_eq!(open("a").unwrap_err().kind(), "busy");
        partial.write(20, vec![7; 5]).await.unwrap();
        partial.finish(spans[2]).await.unwrap();
        partial.write(0, vec![1; 10]).await.unwrap();
        drop(partial);
        let again = open("a").unwrap();
        assert_eq!((again.done_bytes(), again.missing().len()), (5, 2));
        drop(again);
        let other = open("b").unwrap();
        assert_eq!(other.done_bytes(), 0, "another file's bytes are not taken over");
        other.discard().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
