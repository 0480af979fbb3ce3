//! Puts a result's files into the blob store.

use futures::future::join_all;
use tracing::{error, warn};
use trellis_backend::{Content, FinishedFile, KeptLatents};
use trellis_core::{Artifact, Failure, FailureKind, JobId, Sha256};
use trellis_jobs::{BlobError, BlobKey, BlobStore, Delivered, Latents};

/// Where an attempt's files go.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) blobs: &'a dyn BlobStore,
    pub(crate) job: JobId,
    pub(crate) attempt: u32,
}

impl Place<'_> {
    /// Stores files under the attempt's own names, side by side; where one cannot be stored, none stays.
    pub(crate) async fn store_all(self, files: Vec<FinishedFile>) -> Result<Vec<Delivered>, Failure> {
        // Files are on the disk already, as a rule on this one.
        let is_new = |file: &&FinishedFile| matches!(file.piece.content, Content::Bytes(_));
        let new_bytes = files.iter().filter(is_new).map(|file| file.size_bytes).sum();
        if self
            .blobs
            .room()
            .await
            .is_some_and(|room| !room.stores(new_bytes))
        {
            return Err(full());
        }
        // All are waited for, so that none is still being written when a failed one has the rest removed.
        let stored = join_all(files.into_iter().map(|file| self.store(file))).await;
        let (stored, failed): (Vec<_>, Vec<_>) = stored.into_iter().partition(Result::is_ok);
        let stored: Vec<Delivered> = stored.into_iter().flatten().collect();
        match failed.into_iter().find_map(Result::err) {
            None => Ok(stored),
            Some(failure) => {
                let keys: Vec<BlobKey> = stored.into_iter().map(|file| file.key).collect();
                // What stays goes with the job's other blobs.
                let _ = self.blobs.delete(&keys).await;
                Err(failure)
            }
        }
    }

    /// Stores what was sampled. That it cannot be stored is no reason to lose the result.
    pub(crate) async fn keep_latents(self, latents: Option<KeptLatents>, decoder: Sha256) -> Option<Latents> {
        let KeptLatents {
            path,
            size_bytes,
            sha256,
        } = latents?;
        let key = BlobKey::latents(self.job, self.attempt);
        if let Err(cause) = self.blobs.put_file(&key, &path).await {
            warn!(
                error = &cause as &dyn std::error::Error,
                "what was sampled is not kept"
            );
            return None;
        }
        Some(Latents {
            size_bytes,
            sha256,
            decoder,
            key,
        })
    }

    async fn store(self, file: FinishedFile) -> Result<Delivered, Failure> {
        let key = BlobKey::artifact(self.job, self.attempt, &file.piece.name);
        let stored = match file.piece.content {
            Content::Bytes(bytes) => self.blobs.put(&key, bytes).await,
            Content::File(path) => self.blobs.put_file(&key, &path).await,
        };
        stored.map_err(|cause| not_stored(&cause))?;
        Ok(Delivered {
            artifact: Artifact {
                name: file.piece.name,
                format: file.piece.format,
                media_type: file.piece.media_type.to_owned(),
                size_bytes: file.size_bytes,
                sha256: file.sha256,
                preview: false,
            },
            key,
        })
    }
}

/// What a client is told; the cause goes to the log.
pub(crate) fn not_stored(cause: &BlobError) -> Failure {
    error!(error = cause as &dyn std::error::Error, "a file cannot be stored");
    match cause {
        BlobError::Full { .. } => full(),
        _ => Failure::new(FailureKind::Internal, "the result cannot be stored"),
    }
}

fn full() -> Failure {
    Failure::new(
        FailureKind::StorageFull,
        "the result cannot be stored: the disk is full",
    )
}
