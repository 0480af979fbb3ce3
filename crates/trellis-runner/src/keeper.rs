//! Keeps a claim alive while its job is worked on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;
use trellis_core::JobState;
use trellis_jobs::{Heartbeat, Lease, StoreError};

use crate::runner::Shared;

/// Why the claim is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Somebody cancelled the job.
    Cancelled,
    /// It was given to another worker, or the store was out of reach for a whole lease.
    Lost,
}

/// How often a job is looked at, at most, when the store says that something changed: a cancelled job is
/// to free its backend before the next heartbeat is due.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Sends heartbeats; returns when there is nothing left to keep.
pub(crate) async fn keep(shared: Arc<Shared>, lease: Lease) -> Gone {
    let every = shared.settings.heartbeat_every;
    let mut due = Instant::now() + every;
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            () = taken_away(&shared, &lease) => {}
        }
        due = Instant::now() + every;
        match shared
            .store
            .heartbeat(&lease, Timestamp::now(), shared.settings.lease)
            .await
        {
            Ok(Heartbeat::Continue) => heard = Instant::now(),
            Ok(Heartbeat::Cancelled) => return Gone::Cancelled,
            Err(StoreError::LeaseLost { .. } | StoreError::NotFound { .. }) => return Gone::Lost,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "heartbeat not recorded");
                if heard.elapsed() >= shared.settings.lease {
                    return Gone::Lost;
                }
            }
        }
    }
}

/// Resolves once the job is seen to be somebody else's business. Only the next heartbeat is certain of it.
async fn taken_away(shared: &Shared, lease: &Lease) {
    let mut changes = shared.store.watch();
    loop {
        match shared.store.get(lease.job).await {
            Ok(job) if job.state == JobState::Running && job.attempt == lease.attempt => {}
            Ok(_) | Err(StoreError::NotFound { .. }) => return,
            // The heartbeat will say so.
            Err(_) => return std::future::pending().await,
        }
        sleep(LOOK_EVERY).await;
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
