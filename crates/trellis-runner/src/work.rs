//! The backend at work, and whatever may stop it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use trellis_backend::{Backend, Output, Request};
use trellis_core::{Failure, FailureKind, GenerateError};

use crate::lease::Gone;
use crate::reporter::Reports;
use crate::shared::Shared;

/// How long a backend may take to stop once it is told to.
const STOPPING: Duration = Duration::from_secs(5);
/// The same at the end of the server, which then has 4 s left.
const STOPPING_AT_THE_END: Duration = Duration::from_secs(2);

/// Why a backend was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The claim is gone.
    Gone(Gone),
    /// The job took longer than it may.
    TimeLimit,
    /// The runner closes.
    Drained,
}

/// Runs the backend to its end, or until something stops it: then what it still gave, and why.
pub(crate) async fn work(
    shared: &Shared,
    backend: Arc<dyn Backend>,
    request: Request,
    reports: Reports,
    deadline: Instant,
    gone: impl Future<Output = Gone>,
) -> (Result<Output, GenerateError>, Option<Stop>) {
    let cancel = CancellationToken::new();
    // Dropped with this future, so that the backend hears of it if the runner itself is dropped.
    let guard = cancel.clone().drop_guard();
    // On a task of its own, so that its panic ends it alone.
    let mut working = tokio::spawn(async move { backend.generate(request, &reports, cancel).await });
    let stop = tokio::select! {
        done = &mut working => return (outcome(done), None),
        gone = gone => Stop::Gone(gone),
        () = tokio::time::sleep_until(deadline) => Stop::TimeLimit,
        () = shared.drained.cancelled() => Stop::Drained,
    };
    drop(guard);
    let within = match stop {
        Stop::Drained => STOPPING_AT_THE_END,
        Stop::Gone(_) | Stop::TimeLimit => STOPPING,
    };
    (stopped(working, within).await, Some(stop))
}

async fn stopped(
    mut working: JoinHandle<Result<Output, GenerateError>>,
    within: Duration,
) -> Result<Output, GenerateError> {
    if let Ok(done) = tokio::time::timeout(within, &mut working).await {
        return outcome(done);
    }
    warn!("backend does not stop, abandoning it");
    working.abort();
    Err(GenerateError::Cancelled)
}

fn outcome(done: Result<Result<Output, GenerateError>, JoinError>) -> Result<Output, GenerateError> {
    done.unwrap_or_else(|panic| {
        error!(%panic, "backend panicked");
        Err(Failure::new(FailureKind::Internal, "the backend crashed").into())
    })
}
