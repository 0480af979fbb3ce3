//! A body that comes in: a local file until it is kept, so that a slow client costs the storage nothing.
//!
//! The file is opened for each part and closed again, so that a thousand slow clients hold no open files.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use tempfile::TempPath;
use trellis_jobs::{BlobError, BlobKey, ReadSeek, StagedBlob};

use crate::error::{failed, unavailable};
use crate::upload;

pub(crate) struct Staged {
    store: Arc<AmazonS3>,
    to: Path,
    key: BlobKey,
    /// Shared with the thread that writes, so that the file goes after the last write.
    file: Arc<TempPath>,
}

impl Staged {
    /// One for the object `to`, in that local folder.
    pub(crate) async fn begin(
        store: Arc<AmazonS3>,
        to: Path,
        key: &BlobKey,
        folder: PathBuf,
    ) -> Result<Self, BlobError> {
        let file = local(key, move || {
            Ok(tempfile::NamedTempFile::new_in(folder)?.into_temp_path())
        });
        Ok(Self {
            file: Arc::new(file.await?),
            store,
            to,
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
        let sent = upload::send(&self.store, &self.to, &self.file).await;
        sent.map_err(|error| failed(&self.key, &error))
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
