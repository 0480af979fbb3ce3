//! The result cache: a job that asks the same as an earlier one of its owner gets a copy of that one's result.
//!
//! The cache is an index over the jobs that are kept, so it holds nothing of its own. A copy has links of its own to
//! the bytes and outlives the job that it came from. A result that is missing or damaged is a miss.

use futures::StreamExt as _;
use tracing::{info, warn};
use trellis_core::{JobId, Sha256, Sha256Hasher};

use crate::{BlobError, BlobKey, CacheKey, Delivered, DeliveredStatement, Jobs, Outcome, Owner};

/// How many earlier jobs are tried: the newest results that are damaged are passed over.
const TRIES: u32 = 3;

impl Jobs {
    /// The result of an earlier job of that key, copied for `job`.
    pub(crate) async fn recall(&self, owner: &Owner, key: &CacheKey, job: JobId) -> Option<Outcome> {
        let found = self.store.cached(owner, key, TRIES).await;
        let found = found.unwrap_or_else(|error| {
            warn!(error = &error as &dyn std::error::Error, "cache lookup failed");
            Vec::new()
        });
        for earlier in found {
            let from = earlier.job.id;
            let Some(outcome) = earlier.into_outcome() else {
                continue;
            };
            match self.copied(outcome, job).await {
                Ok(Some(outcome)) => return Some(outcome),
                Ok(None) => warn!(%from, "cached result is damaged"),
                Err(BlobError::NotFound { key }) => info!(%from, %key, "cached result is incomplete"),
                // A full disk, say.
                Err(error) => warn!(
                    %from,
                    error = &error as &dyn std::error::Error,
                    "cached result cannot be copied"
                ),
            }
        }
        None
    }

    /// The result under keys of `job`; `None` where it is not what it was.
    async fn copied(&self, mut outcome: Outcome, job: JobId) -> Result<Option<Outcome>, BlobError> {
        for Delivered { artifact, key } in &mut outcome.artifacts {
            let to = BlobKey::artifact(job, 0, &artifact.name);
            let expected = (artifact.size_bytes, artifact.sha256);
            if !self.copy_whole(key, expected, &to).await? {
                return Ok(None);
            }
            *key = to;
        }
        if let Some(DeliveredStatement { file, key }) = &mut outcome.statement {
            let to = BlobKey::statement(job, 0, &file.name);
            let expected = (file.size_bytes, file.sha256);
            if !self.copy_whole(key, expected, &to).await? {
                return Ok(None);
            }
            *key = to;
        }
        // Worth having, but no reason to make the result again.
        if let Some(latents) = &mut outcome.latents {
            let to = BlobKey::latents(job, 0);
            let expected = (latents.size_bytes, latents.sha256);
            if self
                .copy_whole(&latents.key, expected, &to)
                .await
                .unwrap_or(false)
            {
                latents.key = to;
            } else {
                outcome.latents = None;
            }
        }
        // Making it took nothing this time.
        outcome.timings = None;
        Ok(Some(outcome))
    }

    /// Copies one file and looks at every byte of the copy, part by part: what a job lists is true.
    pub(crate) async fn copy_whole(
        &self,
        from: &BlobKey,
        expected: (u64, Sha256),
        to: &BlobKey,
    ) -> Result<bool, BlobError> {
        self.blobs.copy(from, to).await?;
        let mut parts = self.blobs.read(to, 0..expected.0).await?;
        let mut digest = Sha256Hasher::default();
        while let Some(part) = parts.next().await {
            digest.update(&part?);
        }
        Ok(digest.finish() == expected)
    }
}
