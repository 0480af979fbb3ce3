//! Keeps a claim alive while its job is worked on.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};
use tracing::warn;
use trellis_core::JobState;
use trellis_jobs::{Changes, Heartbeat, JobStore, Lease, Seen, StoreError};

use crate::shared::Shared;

/// Why the claim is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Somebody cancelled the job.
    Cancelled,
    /// It was given to another worker, or the store was out of reach for a whole lease.
    Lost,
}

/// Sends heartbeats; returns when there is nothing left to keep.
pub(crate) async fn keep(shared: Arc<Shared>, lease: Lease) -> Gone {
    let every = shared.settings.heartbeat_every;
    let mut watch = Watch::new(&shared, &lease);
    let mut due = Instant::now() + every;
    let mut heard = Instant::now();
    let mut answered = true;
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            () = watch.taken_away(), if answered => {}
        }
        due = Instant::now() + every;
        let beat = shared
            .store
            .heartbeat(&lease, Timestamp::now(), shared.settings.lease)
            .await;
        answered = beat.is_ok();
        match beat {
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

/// Looks out for the end of a claim, so that a cancelled job frees its backend before the next heartbeat is due. Only
/// the heartbeat is certain of it.
struct Watch<'a> {
    store: &'a dyn JobStore,
    lease: &'a Lease,
    changes: Changes,
    /// Where the job stood last; `None`: it is to be asked, as at the start and after another process did something.
    seen: Option<Seen>,
}

impl<'a> Watch<'a> {
    fn new(shared: &'a Shared, lease: &'a Lease) -> Self {
        let store = shared.store.as_ref();
        let changes = store.subscribe(lease.job);
        Self {
            store,
            lease,
            changes,
            seen: None,
        }
    }

    /// Resolves once the job is seen to be somebody else's business.
    async fn taken_away(&mut self) {
        loop {
            let seen = match self.seen {
                Some(seen) => Some(seen),
                None => self.look().await,
            };
            if seen.is_some_and(|seen| is_taken(seen, self.lease.attempt)) {
                return;
            }
            // Kept where this is dropped while it waits.
            self.seen = seen;
            self.seen = self.changes.changed().await;
        }
    }

    /// Where the job stands, as far as the store answers; else the heartbeat will say so.
    async fn look(&self) -> Option<Seen> {
        match self.store.get(self.lease.job).await {
            Ok(job) => Some(Seen {
                state: job.state,
                attempt: job.attempt,
            }),
            Err(_) => None,
        }
    }
}

/// Whether a job is no longer that attempt's business. One that succeeded is its own doing, of which it is told already:
/// nobody else has a job succeed.
fn is_taken(seen: Seen, attempt: u32) -> bool {
    seen.attempt != attempt || !matches!(seen.state, JobState::Running | JobState::Succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_does_not_ask_after_its_own_success() {
        for state in JobState::ALL {
            let taken = is_taken(Seen { state, attempt: 2 }, 2);
            let own = matches!(state, JobState::Running | JobState::Succeeded);
            assert_eq!(taken, !own, "{state:?}");
            assert!(is_taken(Seen { state, attempt: 3 }, 2));
        }
    }
}
