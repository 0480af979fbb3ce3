//! A blob in the making: a file under a staging name beside its place.
//!
//! The file is opened for each part and closed again, so that a thousand slow clients hold no open files.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::FolderBlobs;
use crate::{BlobError, BlobKey, ReadSeek, StagedBlob};

/// A file that is removed when this is dropped, unless it got another name.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: PathBuf,
    renamed: AtomicBool,
}

impl StagedFile {
    /// Makes an empty one. Blocks.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        File::create_new(&path)?;
        Ok(Self {
            path,
            renamed: AtomicBool::new(false),
        })
    }

    /// Gives it its own name. Blocks.
    pub(super) fn rename(&self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.renamed.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn append(&self, part: &[u8]) -> io::Result<()> {
        File::options().append(true).open(&self.path)?.write_all(part)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if self.renamed.load(Ordering::Relaxed) {
            return;
        }
        let path = std::mem::take(&mut self.path);
        // A large file takes a while. What cannot be removed now is swept later.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || fs::remove_file(path))),
            Err(_) => drop(fs::remove_file(path)),
        }
    }
}

/// A blob of a folder in the making.
pub(super) struct Staged {
    blobs: FolderBlobs,
    key: BlobKey,
    /// Shared with the thread that writes, so that the file goes after the last write.
    file: Arc<StagedFile>,
}

impl Staged {
    pub(super) fn new(blobs: FolderBlobs, key: BlobKey, file: StagedFile) -> Self {
        let file = Arc::new(file);
        Self { blobs, key, file }
    }
}

#[async_trait::async_trait]
impl StagedBlob for Staged {
    async fn append(&mut self, part: Bytes) -> Result<(), BlobError> {
        let file = Arc::clone(&self.file);
        self.blobs
            .writing(&self.key, move |_, _| file.append(&part))
            .await
    }

    async fn reopen(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        let file = Arc::clone(&self.file);
        let opened = self
            .blobs
            .blocking(&self.key, move |_, _| File::open(file.path()));
        Ok(Box::new(opened.await?))
    }

    async fn keep(self: Box<Self>) -> Result<(), BlobError> {
        let file = Arc::clone(&self.file);
        self.blobs
            .writing(&self.key, move |blobs, key| blobs.keep_staged(key, &file))
            .await
    }
}
