//! A job that is cancelled where nobody waits for it any more.

use axum::http::StatusCode;
use tracing::{info, warn};
use trellis_core::{Job, JobId};
use trellis_jobs::{Jobs, Owner, StoreError};

use super::detail::Refusal;
use crate::AppState;

/// Waits for a job's end. Dropped before, as when the client hangs up or the server stops, it has the job cancelled.
pub(super) async fn wait_or_cancel(state: &AppState, owner: &Owner, id: JobId) -> Result<Job, Refusal> {
    let mut guard = Guard {
        left: Some((state.jobs.clone(), owner.clone(), id)),
    };
    let ended = tokio::select! {
        ended = state.jobs.wait(owner, id) => ended?,
        () = state.stopping().cancelled() => {
            let said = "the server is stopping; send the request again".to_owned();
            return Err(Refusal::Sentence(StatusCode::SERVICE_UNAVAILABLE, said));
        }
    };
    guard.left = None;
    Ok(ended)
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
                Ok(()) => info!(job = %id, "cancelled, because its client no longer waits"),
                // It ended at the same moment, or is forgotten.
                Err(StoreError::WrongState { .. } | StoreError::NotFound { .. }) => {}
                Err(error) => {
                    warn!(job = %id, error = &error as &dyn std::error::Error, "not cancelled, though its client no longer waits");
                }
            }
        });
    }
}
