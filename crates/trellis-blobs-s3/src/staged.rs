//! A body that comes in: a local file until it is kept, so that a slow client costs the storage nothing.
//!
//! The file is opened for each part and closed again, so that a thousand slow clients hold no open files.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempPath;
use trellis_jobs::{BlobError, BlobKey, BlobStore as _, ReadSeek, StagedBlob};

use crate::S3Blobs;
use crate::error::unavailable;

pub(crate) struct Staged {
    blobs: S3Blobs,
    key: BlobKey,
    /// Shared with the thread that writes, so that the file goes after the last write.
    file: Arc<TempPath>,
}

impl Staged {
    pub(crate) async fn begin(blobs: S3Blobs, key: &BlobKey, folder: PathBuf) -> Result<Self, BlobError> {
        let file = local(key, move || {
            Ok(tempfile::NamedTempFile::new_in(folder)?.into_temp_path())
        });
        Ok(Self {
            file: Arc::new(file.await?),
            blobs,
            key: key.clone(),
        })
    }
}

#[async_trait::async_trait]
impl StagedBlob for Staged {
    async fn append(&mut self, part: Bytes) -> Result<(), BlobError> {
        let file = Arc::clone(&self.file);
        local(&self.key, move || {
            File::options().append(true).open(&*file)?.write_all(&part)
        })
        .await
    }

    async fn reopen(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        let file = Arc::clone(&self.file);
        let opened = local(&self.key, move || File::open(&*file)).await?;
        Ok(Box::new(opened))
    }

    async fn keep(self: Box<Self>) -> Result<(), BlobError> {
        self.blobs.put_file(&self.key, &self.file).await
    }
}

/// Does something on this machine that may block.
async fn local<T: Send + 'static>(
    key: &BlobKey,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(source)) if source.kind() == std::io::ErrorKind::StorageFull => Err(BlobError::Full {
            key: key.clone(),
            source: source.into(),
        }),
        Ok(Err(source)) => Err(unavailable(key, source)),
        Err(ended) => Err(unavailable(key, ended)),
    }
}
