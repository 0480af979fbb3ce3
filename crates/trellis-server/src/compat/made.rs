//! From a request to the job that it asked for, ended: one request, one answer.

use axum::extract::Request;
use axum::http::StatusCode;
use tracing::{info, warn};
use trellis_core::{Job, JobId, JobState};
use trellis_jobs::{Asked, Jobs, Owner, StoreError, SubmitError, Terms};

use super::detail::Refusal;
use crate::AppState;
use crate::crowd;
use crate::submit::admitted;
use crate::submit::json::{Rest, Shape, read_body};
use crate::trace::traceparent;

/// Makes the job that a body of that shape asks for and waits for its end; `read` translates the fields, and says what
/// the answer needs of them besides.
pub(super) async fn made<T>(
    state: &AppState,
    owner: &Owner,
    request: Request,
    shape: Shape,
    read: impl FnOnce(&Rest) -> Result<(Asked, T), Refusal>,
) -> Result<(Job, T), Refusal> {
    let traceparent = traceparent(request.headers());
    let coming = crowd::pass(state.crowd(), &state.jobs, request.headers())
        .await
        .map_err(SubmitError::from)?;
    let mut intake = admitted(state, request.headers()).await?;
    let displaced = intake.displaced();
    let (asked, wanted) = tokio::select! {
        read = read_body(state, request, &mut intake, shape, |rest| read(&rest)) => read?,
        () = displaced.cancelled() => return Err(SubmitError::Busy.into()),
    };
    let terms = Terms {
        owner: owner.clone(),
        traceparent,
        ..Terms::default()
    };
    let submitted = state.jobs.submit(intake, asked, terms).await;
    drop(coming);
    let job = submitted.inspect_err(|error| state.crowd().note(error))?.job;
    Ok((wait_or_cancel(state, owner, job.id).await?, wanted))
}

/// Waits for a job's end. Dropped before, as when the client hangs up or the server stops, it has the job cancelled.
async fn wait_or_cancel(state: &AppState, owner: &Owner, id: JobId) -> Result<Job, Refusal> {
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
                Ok(job) if job.state == JobState::Cancelled => {
                    info!(job = %id, "cancelled, because its client no longer waits");
                }
                // It ended at the same moment, or is forgotten.
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => {
                    warn!(job = %id, error = &error as &dyn std::error::Error, "not cancelled, though its client no longer waits");
                }
            }
        });
    }
}
