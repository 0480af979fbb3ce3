//! Puts a backend's files into the blob store.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{error, warn};
use trellis_backend::{Content, Made, stamp, unstamped};
use trellis_core::{Artifact, Failure, FailureKind, Format, JobId, Provenance, Sha256};
use trellis_jobs::{BlobError, BlobKey, BlobStore, Delivered};

/// Where an attempt's files go.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) blobs: &'a dyn BlobStore,
    pub(crate) job: JobId,
    pub(crate) attempt: u32,
    /// The attempt's own folder.
    pub(crate) scratch: &'a Path,
}

impl Place<'_> {
    /// Stores a file under the attempt's own name; a GLB gets the record of what made it. The note says where
    /// it did not.
    pub(crate) async fn store(
        self,
        made: Made,
        provenance: &Provenance,
    ) -> Result<(Delivered, Option<String>), Failure> {
        let mut made = self.checked(made).await?;
        let mut note = None;
        if made.format == Format::Glb {
            let (content, record) = (made.content.clone(), provenance.clone());
            let folder = self.scratch.to_owned();
            match blocking(move || Ok(stamp(&content, &record, &folder))).await? {
                Ok(content) => made.content = content,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "a GLB carries no provenance"
                    );
                    note = Some(unstamped(&made.name, &error));
                }
            }
        }
        Ok((self.put(made).await?, note))
    }

    /// A file with a plain name that is really the attempt's own.
    async fn checked(self, mut made: Made) -> Result<Made, Failure> {
        if !is_plain(&made.name) {
            return Err(internal(format!(
                "the backend named a file `{}`",
                made.name.escape_debug()
            )));
        }
        if let Content::File(path) = made.content {
            made.content = Content::File(inside(self.scratch, path).await?);
        }
        Ok(made)
    }

    async fn put(self, made: Made) -> Result<Delivered, Failure> {
        let key = BlobKey::artifact(self.job, self.attempt, &made.name);
        let content = made.content.clone();
        let digested = blocking(move || match content {
            Content::Bytes(bytes) => Sha256::of_reader(bytes.as_ref()),
            Content::File(path) => Sha256::of_reader(File::open(path)?),
        });
        let (size_bytes, sha256) = digested.await?;
        let stored = match made.content {
            Content::Bytes(bytes) => self.blobs.put(&key, bytes).await,
            Content::File(path) => self.blobs.put_file(&key, &path).await,
        };
        stored.map_err(|cause| not_stored(&cause))?;
        Ok(Delivered {
            artifact: Artifact {
                name: made.name,
                format: made.format,
                media_type: made.format.media_type().to_owned(),
                size_bytes,
                sha256,
                preview: false,
            },
            key,
        })
    }
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

/// The file, provided that it is really in the folder that the backend was given.
async fn inside(scratch: &Path, path: PathBuf) -> Result<PathBuf, Failure> {
    let unreadable = |cause: io::Error| {
        error!(%cause, "a file of the backend cannot be read");
        internal("a file of the backend cannot be read")
    };
    let scratch = tokio::fs::canonicalize(scratch).await.map_err(unreadable)?;
    let path = tokio::fs::canonicalize(path).await.map_err(unreadable)?;
    if path.starts_with(&scratch) {
        return Ok(path);
    }
    Err(internal("the backend named a file outside its folder"))
}

fn internal(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Internal, message)
}

/// What a client is told; the cause goes to the log.
pub(crate) fn not_stored(cause: &BlobError) -> Failure {
    error!(error = cause as &dyn std::error::Error, "a file cannot be stored");
    match cause {
        BlobError::Full { .. } => Failure::new(
            FailureKind::StorageFull,
            "the result cannot be stored: the disk is full",
        ),
        _ => internal("the result cannot be stored"),
    }
}

/// Digests take a good part of a second for large files: not on a thread that others wait for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(cause)) => {
            error!(%cause, "a file of the backend cannot be read");
            Err(internal("a file of the backend cannot be read"))
        }
        Err(_) => Err(internal("a file of the backend cannot be digested")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_path_traversal_in_file_name() {
        for name in [
            "", ".", "..", "../x", "a/b", "a\\b", ".hidden", "x\0", "x\n", "m.glb#1", "é.glb",
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
        assert!(is_plain("model_2-b.glb"));
    }
}
