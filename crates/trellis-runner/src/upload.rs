//! Puts a backend's files into the blob store.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tracing::error;
use trellis_backend::{Content, Made};
use trellis_core::{Artifact, Failure, FailureKind, JobId};
use trellis_jobs::{BlobError, BlobKey, BlobStore, Delivered, sha256_of};

/// Stores one file of a job's attempt under the attempt's own name.
pub(crate) async fn upload(
    blobs: &dyn BlobStore,
    (job, attempt): (JobId, u32),
    scratch: &Path,
    made: Made,
) -> Result<Delivered, Failure> {
    let Made {
        name,
        format,
        content,
    } = made;
    if !is_plain(&name) {
        return Err(internal(format!(
            "the backend named a file `{}`",
            name.escape_debug()
        )));
    }
    let key = BlobKey::artifact(job, attempt, &name);
    let (stored, size_bytes, sha256) = match content {
        Content::Bytes(bytes) => {
            let (size, sha256) = {
                let bytes = bytes.clone();
                blocking(move || sha256_of(bytes.as_ref())).await?
            };
            (blobs.put(&key, bytes).await, size, sha256)
        }
        Content::File(path) => {
            let path = inside(scratch, path).await?;
            let (size, sha256) = {
                let path = path.clone();
                blocking(move || sha256_of(File::open(path)?)).await?
            };
            (blobs.put_file(&key, &path).await, size, sha256)
        }
    };
    stored.map_err(|cause| not_stored(&cause))?;
    let media_type = format.media_type().to_owned();
    Ok(Delivered {
        artifact: Artifact {
            name,
            format,
            media_type,
            size_bytes,
            sha256,
            preview: false,
        },
        key,
    })
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
fn not_stored(cause: &BlobError) -> Failure {
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
