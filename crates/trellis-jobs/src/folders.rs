//! Folders whose entries survive a power cut.
//!
//! A new entry is on disk once its folder is flushed. Those who wait for the same folder share a flush.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// So many folders are remembered; a forgotten one costs a flush of the folder above it.
const REMEMBERED: usize = 64;

/// Creates a folder and its missing parents; each new entry is on disk when this returns.
pub(crate) fn create_durably(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_durably(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync(parent)?,
        }
    }
    Ok(())
}

/// The folders that are written to.
#[derive(Debug, Default)]
pub(crate) struct Folders(Mutex<HashMap<PathBuf, Arc<Folder>>>);

/// One of them.
#[derive(Debug, Default)]
struct Folder {
    /// Entries made so far.
    entries: AtomicU64,
    /// How many of them are on disk. Held during a flush.
    flushed: Mutex<u64>,
}

impl Folders {
    /// Has `enter` make an entry in `folder`, which is created where it is missing; the entry is on disk when
    /// this returns.
    pub(crate) fn enter<T>(&self, folder: &Path, enter: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let shared = self.open(folder)?;
        let entered = match enter() {
            // Swept meanwhile, being empty.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_dir() => {
                create_durably(folder)?;
                enter()?
            }
            entered => entered?,
        };
        shared.flush(folder)?;
        Ok(entered)
    }

    /// The folder, which is there and on disk.
    fn open(&self, folder: &Path) -> io::Result<Arc<Folder>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.get(folder) {
            return Ok(Arc::clone(shared));
        }
        // Whoever made it may have been killed before its entry was on disk.
        create_durably(folder)?;
        sync(folder.parent().unwrap_or(Path::new("")))?;
        if known.len() >= REMEMBERED {
            known.retain(|_, shared| Arc::strong_count(shared) > 1);
        }
        Ok(Arc::clone(known.entry(folder.to_owned()).or_default()))
    }
}

impl Folder {
    /// Flushes all entries made before this call, or finds that another call did.
    fn flush(&self, folder: &Path) -> io::Result<()> {
        let mine = self.entries.fetch_add(1, Ordering::SeqCst) + 1;
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        if *flushed >= mine {
            return Ok(());
        }
        let all = self.entries.load(Ordering::SeqCst);
        sync(folder)?;
        *flushed = all;
        Ok(())
    }
}

/// Flushes a folder's entries. Elsewhere than on Unix a folder cannot be opened, and nothing is done.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_swept_between_two_entries_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        let folders = Folders::default();
        for name in ["1", "2"] {
            folders
                .enter(&folder, || fs::write(folder.join(name), name))
                .unwrap();
            fs::remove_dir_all(&folder).unwrap();
        }
        folders
            .enter(&folder, || fs::write(folder.join("3"), "3"))
            .unwrap();
        assert!(folder.join("3").exists());
    }

    #[test]
    fn a_flush_counts_for_all_entries_made_before_it_and_for_none_after() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::default();
        folder.flush(root.path()).unwrap();
        folder.entries.fetch_add(2, Ordering::SeqCst);
        folder.flush(root.path()).unwrap();
        assert_eq!(*folder.flushed.lock().unwrap(), 4);
        // The folder is gone: whoever was flushed already is not told of it, the next one is.
        *folder.flushed.lock().unwrap() = 5;
        folder.flush(Path::new("/nothing/here")).unwrap();
        folder.flush(Path::new("/nothing/here")).unwrap_err();
    }
}
