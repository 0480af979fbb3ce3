//! Takes back jobs that nobody works on any more.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};
use trellis_jobs::{Recovered, StoreError, WorkerName};

use crate::shared::Shared;

/// Takes back what this worker held before it was restarted. `false` where the store could not be asked.
pub(crate) async fn take_back_own(shared: &Shared) -> bool {
    recover(shared, Some(&shared.settings.worker)).await.is_ok()
}

/// Looks for lapsed leases until the runner closes. Own jobs that `take_back_own` could not take back
/// lapse like others.
pub(crate) async fn run(shared: Arc<Shared>, own_taken_back: bool) {
    if !own_taken_back {
        warn!("jobs from before the restart wait until their leases expire");
    }
    let every = shared.settings.lease / 2;
    let mut before = Timestamp::now();
    loop {
        tokio::select! {
            () = shared.closing.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let now = Timestamp::now();
        let slept = now.duration_since(before);
        before = now;
        // A laptop that was asleep: the clock went on, the timers did not. Heartbeats come first, or every
        // job that is still running would be taken from its own worker.
        if slept > SignedDuration::try_from(every * 2).unwrap_or(SignedDuration::MAX) {
            continue;
        }
        let _ = recover(&shared, None).await;
    }
}

async fn recover(shared: &Shared, held_by: Option<&WorkerName>) -> Result<(), StoreError> {
    let recovered = shared
        .store
        .recover(Timestamp::now(), shared.settings.max_attempts, held_by)
        .await;
    match &recovered {
        Ok(Recovered { requeued, failed }) => {
            for job in requeued {
                info!(%job, "worker lost, job requeued");
            }
            for job in failed {
                warn!(%job, "worker lost too often, job failed");
            }
        }
        Err(error) => warn!(
            error = error as &dyn std::error::Error,
            "cannot look for lost jobs"
        ),
    }
    recovered.map(|_| ())
}
