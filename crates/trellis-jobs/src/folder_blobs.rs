//! Blobs as files in a folder.
//!
//! `object_store` writes to a staging file (`NAME#1`), flushes it, renames it and flushes the folders, so
//! a blob is whole or not there and survives a power cut. A staging file left by a killed process is
//! invisible to reads; [`BlobStore::sweep_unfinished`] removes it.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use tokio::io::AsyncReadExt;
use trellis_core::JobId;

use crate::folders::create_durably;
use crate::{BlobError, BlobKey, BlobStore};

/// How much of a file is in memory at a time while it is taken over.
const PART_BYTES: usize = 8 << 20;

/// A folder of blobs, on one file system.
#[derive(Debug, Clone)]
pub struct FolderBlobs {
    files: LocalFileSystem,
    jobs: PathBuf,
    earlier_cache: PathBuf,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl FolderBlobs {
    /// Opens a folder and creates it where there is none.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        let key = || BlobKey::from_stored("jobs".to_owned());
        let jobs = root.join("jobs");
        create_durably(&jobs).map_err(|error| failed(&key(), error.into()))?;
        let files = LocalFileSystem::new_with_prefix(root).map_err(|error| failed(&key(), error.into()))?;
        Ok(Self {
            files: files.with_fsync(true),
            jobs,
            earlier_cache: root.join("cache"),
        })
    }

    fn folder(&self, job: JobId) -> PathBuf {
        self.jobs.join(job.to_string())
    }
}

fn location(key: &BlobKey) -> Result<Location, BlobError> {
    Location::parse(key.as_str()).map_err(|error| failed(key, error.into()))
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

async fn blocking<T: Send + 'static>(
    key: BlobKey,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| failed(&key, error.into())),
        Err(panic) => Err(failed(&key, panic.into())),
    }
}

#[async_trait::async_trait]
impl BlobStore for FolderBlobs {
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let put = self.files.put(&location(key)?, bytes.into()).await;
        put.map(|_| ()).map_err(|error| failed(key, error.into()))
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let mut source = tokio::fs::File::open(file)
            .await
            .map_err(|error| failed(key, error.into()))?;
        // Dropped unfinished, the upload removes its staging file.
        let upload = self.files.put_multipart(&location(key)?).await;
        let mut upload = upload.map_err(|error| failed(key, error.into()))?;
        loop {
            let mut part = Vec::with_capacity(PART_BYTES);
            let read = (&mut source).take(PART_BYTES as u64).read_to_end(&mut part).await;
            if read.map_err(|error| failed(key, error.into()))? == 0 {
                break;
            }
            upload
                .put_part(part.into())
                .await
                .map_err(|error| failed(key, error.into()))?;
        }
        upload
            .complete()
            .await
            .map(|_| ())
            .map_err(|error| failed(key, error.into()))
    }

    async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        // A hard link under a staging name, then renamed: no bytes are copied.
        let copied = self.files.copy(&location(from)?, &location(to)?).await;
        copied.map_err(|error| failed(from, error.into()))
    }

    async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        let found = self
            .files
            .get(&location(key)?)
            .await
            .map_err(|error| failed(key, error.into()))?;
        found.bytes().await.map_err(|error| failed(key, error.into()))
    }

    async fn get_range(&self, key: &BlobKey, range: Range<u64>) -> Result<Bytes, BlobError> {
        let part = self.files.get_range(&location(key)?, range).await;
        part.map_err(|error| failed(key, error.into()))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<(), BlobError> {
        for key in keys {
            match self.files.delete(&location(key)?).await {
                Err(object_store::Error::NotFound { .. }) | Ok(()) => {}
                Err(error) => return Err(failed(key, error.into())),
            }
        }
        Ok(())
    }

    async fn delete_job(&self, job: JobId) -> Result<(), BlobError> {
        let folder = self.folder(job);
        let key = BlobKey::from_stored(format!("jobs/{job}"));
        blocking(key, move || match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    async fn jobs(&self) -> Result<Vec<JobId>, BlobError> {
        let jobs = self.jobs.clone();
        blocking(BlobKey::from_stored("jobs".to_owned()), move || {
            let mut found = Vec::new();
            for entry in std::fs::read_dir(jobs)? {
                // Anything else in the folder is not ours to judge.
                found.extend(
                    entry?
                        .file_name()
                        .to_str()
                        .and_then(|name| name.parse::<JobId>().ok()),
                );
            }
            Ok(found)
        })
        .await
    }

    async fn sweep_unfinished(&self, untouched_for: Duration) -> Result<u64, BlobError> {
        let jobs = self.jobs().await?;
        let folders = jobs.into_iter().map(|job| self.folder(job));
        // Earlier versions kept links to results there. What cannot be removed is tried again at the next sweep.
        let _ = tokio::fs::remove_dir_all(&self.earlier_cache).await;
        let swept = stream::iter(folders).then(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let key = BlobKey::from_stored(name.into_owned());
            blocking(key, move || sweep_staging(&folder, untouched_for))
        });
        let mut swept = std::pin::pin!(swept);
        let mut removed = 0;
        while let Some(more) = swept.next().await {
            removed += more?;
        }
        Ok(removed)
    }
}

/// Removes staging files below a folder; one that vanishes meanwhile was finished or removed.
fn sweep_staging(folder: &Path, untouched_for: Duration) -> io::Result<u64> {
    let mut removed = 0;
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() {
            removed += sweep_staging(&entry.path(), untouched_for)?;
            continue;
        }
        let old = SystemTime::now()
            .duration_since(found.modified()?)
            .is_ok_and(|age| age >= untouched_for);
        if old
            && is_staging(&entry.file_name().to_string_lossy())
            && std::fs::remove_file(entry.path()).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

/// `object_store` names its staging files `NAME#NUMBER` and allows no blob such a name.
fn is_staging(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}
