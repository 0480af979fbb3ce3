//! Blobs as files in a folder.
//!
//! A blob is written to a staging file (`NAME#1`) beside its place, flushed and renamed, and then its folder is
//! flushed: so it is whole or not there, and survives a power cut. A staging file left by a killed process is
//! invisible to reads; [`BlobStore::sweep_unfinished`] removes it.

mod cached;
mod reader;
mod staged;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use trellis_core::JobId;

use self::cached::{Unread, let_go};
use self::reader::Reader;
use self::staged::{Staged, StagedFile};
use crate::blobs::{BlobStream, period};
use crate::folder_entries::{entries, gone, is_period, owner, staging_name, sweep_staging, written_for};
use crate::folders::{Folders, create_durably};
use crate::parts::Parts;
use crate::spare::{Lent, Spare};
use crate::{BlobError, BlobKey, BlobStore, Disk, Room, StagedBlob, lost_found, plain_file};

/// How many threads write at a time. More of them wait for the same disk, each with a stack and a heap of its own.
const WRITERS: usize = 16;

/// A folder of blobs, on one file system.
#[derive(Debug, Clone)]
pub struct FolderBlobs {
    pub(crate) root: PathBuf,
    pub(crate) folders: Arc<Folders>,
    writers: Arc<Semaphore>,
    parts: Parts,
    disk: Disk,
    unread: Arc<Unread>,
    spare: Spare,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl FolderBlobs {
    /// Opens a folder and creates it where there is none.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        let blobs = Self {
            root: root.to_owned(),
            folders: Arc::default(),
            writers: Arc::new(Semaphore::new(WRITERS)),
            parts: Parts::default(),
            disk: Disk::of(root.to_owned()),
            unread: Arc::default(),
            spare: Spare::default(),
        };
        create_durably(&blobs.jobs_folder())
            .map_err(|error| failed(&BlobKey::from_stored("jobs".to_owned()), error.into()))?;
        Ok(blobs)
    }

    pub(crate) fn jobs_folder(&self) -> PathBuf {
        self.root.join("jobs")
    }

    fn place(&self, key: &BlobKey) -> io::Result<PathBuf> {
        let is_plain = |part: &str| matches!(Path::new(part).components().next(), Some(Component::Normal(_)));
        if !key.as_str().split('/').all(is_plain) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        Ok(self.root.join(key.as_str()))
    }

    fn open_blob(&self, key: &BlobKey) -> io::Result<File> {
        self.place(key)?;
        plain_file::open(&self.root, key.as_str())
    }

    /// Has `write` make a whole file under a staging name and gives it its own. Blocks.
    fn keep(&self, key: &BlobKey, write: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
        let place = self.place(key)?;
        let folder = place.parent().unwrap_or(&self.root);
        let staged = staging_name(&place);
        let kept = self.folders.enter(folder, || {
            write(&staged)?;
            fs::rename(&staged, &place)
        });
        if kept.is_err() {
            // What cannot be removed now is swept later.
            let _ = fs::remove_file(&staged);
        }
        kept
    }

    /// Makes an empty file under a staging name. Blocks.
    fn begin(&self, key: &BlobKey) -> io::Result<StagedFile> {
        let place = self.place(key)?;
        let staged = staging_name(&place);
        // Twice, because the folder may be swept in between, being empty.
        for _ in 0..2 {
            match StagedFile::create(staged.clone()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(place.parent().unwrap_or(&self.root))?;
                }
                created => return created,
            }
        }
        StagedFile::create(staged)
    }

    /// Flushes a staged file and gives it its own name. Blocks.
    fn keep_staged(&self, key: &BlobKey, staged: &StagedFile) -> io::Result<()> {
        let place = self.place(key)?;
        File::open(staged.path())?.sync_data()?;
        let folder = place.parent().unwrap_or(&self.root);
        self.folders.enter(folder, || staged.rename(&place))
    }

    /// As [`Self::blocking`], with not too many others.
    async fn writing<T: Send + 'static>(
        &self,
        key: &BlobKey,
        work: impl FnOnce(&Self, &BlobKey) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        let turn = Arc::clone(&self.writers).acquire_owned().await;
        let write = self.blocking(key, move |blobs, key| {
            // Held to the end, also where nobody waits for it any more.
            let _turn = turn;
            work(blobs, key)
        });
        write.await
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        key: &BlobKey,
        work: impl FnOnce(&Self, &BlobKey) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        let (blobs, of) = (self.clone(), key.clone());
        match tokio::task::spawn_blocking(move || work(&blobs, &of)).await {
            Ok(done) => done.map_err(|error| failed(key, error.into())),
            Err(panic) => Err(failed(key, panic.into())),
        }
    }
}

/// Tells a full disk from the rest; the system's own error is somewhere down the chain.
fn failed(key: &BlobKey, source: Cause) -> BlobError {
    let key = key.clone();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
    while let Some(error) = cause {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                return BlobError::Full { key, source };
            }
            Some(io::ErrorKind::NotFound) => return BlobError::NotFound { key },
            _ => cause = error.source(),
        }
    }
    BlobError::Unavailable { key, source }
}

#[async_trait::async_trait]
impl BlobStore for FolderBlobs {
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let put = self.writing(key, move |blobs, key| {
            blobs.keep(key, |staged| {
                let mut file = File::create(staged)?;
                file.write_all(&bytes)?;
                file.sync_data()
            })
        });
        put.await
    }

    async fn stage(&self, key: &BlobKey) -> Result<Box<dyn StagedBlob>, BlobError> {
        let file = self.writing(key, Self::begin).await?;
        Ok(Box::new(Staged::new(self.clone(), key.clone(), file)))
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let file = file.to_owned();
        let put = self.writing(key, move |blobs, key| {
            // Not written to any more, so that this waits for what the kernel has not written yet.
            File::open(&file)?.sync_data()?;
            blobs.keep(key, |staged| match fs::rename(&file, staged) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    fs::copy(&file, staged)?;
                    File::open(staged)?.sync_data()
                }
                renamed => renamed,
            })?;
            blobs.unread.add(key);
            Ok(())
        });
        put.await
    }

    async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        let from_key = from.clone();
        let copied = self.writing(to, move |blobs, to| {
            let from = blobs.place(&from_key)?;
            blobs.open_blob(&from_key)?;
            blobs.keep(to, |staged| match fs::hard_link(&from, staged) {
                // A file system without links, or too many of them.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    fs::copy(&from, staged)?;
                    File::open(staged)?.sync_data()
                }
                linked => linked,
            })
        });
        copied.await.map_err(|error| match error {
            BlobError::NotFound { .. } => BlobError::NotFound { key: from.clone() },
            other => other,
        })
    }

    async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        let read = self.blocking(key, |blobs, key| {
            let mut file = blobs.open_blob(key)?;
            let mut bytes = blobs.spare.take(file.metadata()?.len());
            file.read_to_end(&mut bytes.memory)?;
            // It is worked on now, as a rule once.
            let_go(&file);
            Ok(bytes)
        });
        read.await.map(Lent::freeze)
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError> {
        let opened = self.blocking(key, Self::open_blob);
        let reader = Reader::new(self.clone(), key.clone(), opened.await?, range);
        Ok(reader.into_stream())
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<(), BlobError> {
        for key in keys {
            let removed = self.blocking(key, |blobs, key| gone(fs::remove_file(blobs.place(key)?)));
            removed.await?;
        }
        Ok(())
    }

    async fn delete_job(&self, job: JobId) -> Result<(), BlobError> {
        let key = BlobKey::from_stored(format!("jobs/{job}"));
        let removed = self.blocking(&key, move |blobs, _| {
            // As earlier versions kept them.
            gone(fs::remove_dir_all(blobs.jobs_folder().join(job.to_string())))?;
            let of_job = |name: &str| owner(name) == Some(job);
            for entry in entries(&blobs.jobs_folder().join(period(job)))? {
                if entry.file_name().to_str().is_some_and(of_job) {
                    gone(fs::remove_file(entry.path()))?;
                }
            }
            Ok(())
        });
        removed.await
    }

    async fn jobs(&self) -> Result<Vec<JobId>, BlobError> {
        let key = BlobKey::from_stored("jobs".to_owned());
        let found = self.blocking(&key, |blobs, _| {
            let mut found = Vec::new();
            for entry in fs::read_dir(blobs.jobs_folder())? {
                let entry = entry?;
                // Anything else in the folder is not ours to judge.
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                match name.parse::<JobId>() {
                    Ok(job) => found.push(job),
                    Err(_) if is_period(&name) => {
                        let files = entries(&entry.path())?.into_iter();
                        found.extend(files.filter_map(|file| written_for(file.file_name().to_str()?)));
                    }
                    Err(_) => {}
                }
            }
            found.sort_unstable();
            found.dedup();
            Ok(found)
        });
        found.await
    }

    async fn aside(&self) -> Result<Vec<JobId>, BlobError> {
        let key = BlobKey::from_stored(lost_found::NAME.to_owned());
        self.blocking(&key, |blobs, _| lost_found::jobs(&blobs.root))
            .await
    }

    async fn set_aside(&self, job: JobId, now: Timestamp) -> Result<bool, BlobError> {
        let key = BlobKey::from_stored(format!("jobs/{job}"));
        let moved = self.blocking(&key, move |blobs, _| {
            lost_found::set_aside(&blobs.root, job, now).map(|()| true)
        });
        moved.await
    }

    async fn sweep_set_aside(&self, before: Timestamp) -> Result<Vec<JobId>, BlobError> {
        let key = BlobKey::from_stored(lost_found::NAME.to_owned());
        let swept = self.blocking(&key, move |blobs, _| lost_found::sweep(&blobs.root, before));
        swept.await
    }

    async fn jot(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let jotted = self.blocking(key, move |blobs, key| {
            let place = blobs.place(key)?;
            fs::create_dir_all(place.parent().unwrap_or(&blobs.root))?;
            let staged = staging_name(&place);
            fs::write(&staged, &bytes)
                .and_then(|()| fs::rename(&staged, &place))
                // What cannot be removed now is swept later.
                .inspect_err(|_| drop(fs::remove_file(&staged)))
        });
        jotted.await
    }

    async fn of_job(&self, job: JobId) -> Result<Vec<BlobKey>, BlobError> {
        let key = BlobKey::from_stored(format!("jobs/{job}"));
        let found = self.blocking(&key, move |blobs, _| {
            let period = period(job);
            let names = entries(&blobs.jobs_folder().join(&period))?;
            let names = names
                .into_iter()
                .filter_map(|entry| entry.file_name().into_string().ok());
            let of_job = names.filter(|name| written_for(name) == Some(job));
            Ok(of_job
                .map(|name| BlobKey::from_stored(format!("jobs/{period}/{name}")))
                .collect())
        });
        found.await
    }

    async fn room(&self) -> Option<Room> {
        self.disk.room().await
    }

    async fn sweep_unfinished(&self, untouched_for: Duration) -> Result<u64, BlobError> {
        let key = BlobKey::from_stored("jobs".to_owned());
        let swept = self.blocking(&key, move |blobs, _| {
            // Earlier versions kept links to results there; what cannot be removed now is tried again.
            let _ = fs::remove_dir_all(blobs.root.join("cache"));
            let mut removed = 0;
            for entry in fs::read_dir(blobs.jobs_folder())? {
                let entry = entry?;
                let name = entry.file_name().into_string().unwrap_or_default();
                if is_period(&name) {
                    removed += sweep_staging(&entry.path(), untouched_for)?;
                    // A folder that is not empty stays; one that is written to next is made again.
                    let _ = fs::remove_dir(entry.path());
                } else if name.parse::<JobId>().is_ok() {
                    removed += sweep_staging(&entry.path(), untouched_for)?;
                }
            }
            Ok(removed)
        });
        swept.await
    }
}
