//! What lost attempts leave in the blob store, and its way out.
//!
//! An attempt that ends by itself removes what it stored in vain. One whose server died, or that was taken for dead,
//! does not; its files go when the job is taken back, when it ends, or with the next sweep.

use trellis_core::{JobId, JobState};

use crate::{BlobKey, BlobStore, JobStore, StoreError, StoredJob, SweepError};

/// Removes the files of a job that its lost attempts left; returns how many.
pub async fn clear_leftovers(
    store: &dyn JobStore,
    blobs: &dyn BlobStore,
    id: JobId,
) -> Result<u64, SweepError> {
    let keys = blobs.of_job(id).await?;
    if keys.is_empty() {
        return Ok(0);
    }
    // After the files were listed: whatever an attempt stored until then and was to keep is named by now.
    let job = match store.find(id).await {
        Err(StoreError::NotFound { .. }) => return Ok(0),
        found => found?,
    };
    let left: Vec<BlobKey> = keys.into_iter().filter(|key| is_left(&job, key)).collect();
    blobs.delete(&left).await?;
    Ok(left.len() as u64)
}

/// Whether a job may have leftovers, as far as its row tells.
pub(crate) fn may_have_any(job: &StoredJob) -> bool {
    let StoredJob { job, .. } = job;
    job.source.is_some()
        || job.attempt > 1
        || (job.attempt == 1 && matches!(job.state, JobState::Failed | JobState::Cancelled))
}

fn is_left(stored: &StoredJob, key: &BlobKey) -> bool {
    let id = stored.job.id;
    if [BlobKey::source(id), BlobKey::source_latents(id)].contains(key) {
        return stored.job.state.is_final();
    }
    let listed = stored.artifacts.contains(key)
        || stored.statement.as_ref() == Some(key)
        || stored.latents.as_ref().is_some_and(|latents| latents.key == *key);
    let Some(attempt) = key.attempt().filter(|_| !listed) else {
        return false;
    };
    match stored.job.state {
        // Number 0 is a preview, which may be on its way into the list.
        JobState::Queued => attempt > 0,
        JobState::Running => attempt > 0 && attempt < stored.job.attempt,
        JobState::Succeeded | JobState::Failed | JobState::Cancelled => true,
    }
}
