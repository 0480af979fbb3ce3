//! A job that is cancelled where nobody waits for it any more.

use tracing::{info, warn};
use trellis_core::{Job, JobId};
use trellis_jobs::{Jobs, Owner, StoreError};

/// Waits for a job's end. Dropped before, as when the client hangs up, it has the job cancelled.
pub(super) async fn wait_or_cancel(jobs: &Jobs, owner: &Owner, id: JobId) -> Result<Job, StoreError> {
    let mut guard = Guard {
        left: Some((jobs.clone(), owner.clone(), id)),
    };
    let ended = jobs.wait(owner, id).await;
    guard.left = None;
    ended
}

struct Guard {
    left: Option<(Jobs, Owner, JobId)>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some((jobs, owner, id)) = self.left.take() else {
            return;
        };
        tokio::spawn(async move {
            match jobs.cancel(&owner, id).await {
                Ok(()) => info!(job = %id, "cancelled, because its client hung up"),
                // It ended at the same moment, or is forgotten.
                Err(StoreError::WrongState { .. } | StoreError::NotFound { .. }) => {}
                Err(error) => {
                    warn!(job = %id, error = &error as &dyn std::error::Error, "not cancelled, though its client hung up")
                }
            }
        });
    }
}
