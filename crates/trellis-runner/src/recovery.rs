//! Takes back jobs that nobody works on any more.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};
use trellis_core::{JobId, JobState};
use trellis_jobs::{Recovered, StoreError, WorkerName};

use crate::scratch;
use crate::shared::Shared;

/// Takes back what this server held before it died, to be worked on one by one. `false` where the store could not be
/// asked.
pub(crate) async fn take_back_own(shared: &Shared) -> bool {
    let Ok(Recovered { requeued, .. }) = recover(shared, Some(&shared.settings.worker)).await else {
        return false;
    };
    for id in requeued {
        // One that is gone meanwhile is no suspect.
        if let Ok(job) = shared.store.get(id).await {
            shared.suspects.add(id, job.demand());
        }
    }
    true
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

async fn recover(shared: &Shared, held_by: Option<&WorkerName>) -> Result<Recovered, StoreError> {
    let recovered = shared
        .store
        .recover(Timestamp::now(), shared.settings.max_attempts, held_by)
        .await;
    match &recovered {
        Ok(Recovered { requeued, failed }) => {
            for job in requeued {
                info!(%job, "its server died, job requeued");
            }
            for job in failed {
                warn!(%job, "its server died too often, job failed");
            }
            for job in requeued.iter().chain(failed) {
                clear(shared, *job).await;
            }
        }
        Err(error) => warn!(
            error = error as &dyn std::error::Error,
            "cannot look for lost jobs"
        ),
    }
    recovered
}

/// Removes what the lost attempt left: what it stored, and what it was working with.
async fn clear(shared: &Shared, id: JobId) {
    shared.clear_leftovers(id).await;
    if let Ok(job) = shared.store.get(id).await {
        let lost = lost_attempt(job.state, job.attempt);
        scratch::remove(&scratch::folder(&shared.settings.scratch, id, lost)).await;
    }
}

/// The attempt that was lost, of a job that was taken back: one that runs again already is at the next, whose folder is in
/// use.
fn lost_attempt(state: JobState, attempt: u32) -> u32 {
    match state {
        JobState::Running => attempt.saturating_sub(1),
        _ => attempt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_attempt_that_has_begun_meanwhile_is_left_alone() {
        assert_eq!(lost_attempt(JobState::Queued, 1), 1);
        assert_eq!(lost_attempt(JobState::Failed, 3), 3);
        assert_eq!(lost_attempt(JobState::Running, 2), 1);
    }
}
