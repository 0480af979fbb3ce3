//! One place to work: takes a job, works on it, takes the next.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, error, info_span, warn};
use trellis_backend::{Backend, Readiness};
use trellis_jobs::{Claim, ClaimFilter};

use crate::attempt::Attempt;
use crate::runner::Shared;

/// How often a slot looks by itself: a store's announcements are a hint only, and a backend that becomes
/// ready makes none.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Slot {
    shared: Arc<Shared>,
    backend: Arc<dyn Backend>,
}

impl Slot {
    pub(crate) fn new(shared: Arc<Shared>, backend: Arc<dyn Backend>) -> Self {
        Self { shared, backend }
    }

    /// Works until the runner closes.
    pub(crate) async fn run(self) {
        let mut changes = self.shared.store.arrivals();
        while !self.shared.closing.is_cancelled() {
            changes.mark_seen();
            // Never abandoned half-way: a claim that nobody hears of would wait until its lease lapses.
            if let Some(claim) = self.claim().await {
                let span = info_span!("attempt", job = %claim.lease.job, attempt = claim.lease.attempt);
                let attempt = Attempt::new(self.shared.clone(), self.backend.clone(), claim);
                // On a task of its own: a defect costs one attempt, whose lease then lapses, and not the slot.
                let ended = AbortOnDropHandle::new(tokio::spawn(attempt.run().instrument(span))).await;
                if let Err(panic) = ended {
                    error!(%panic, "attempt ended badly, its job is taken back when its lease lapses");
                }
                continue;
            }
            tokio::select! {
                () = self.shared.closing.cancelled() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn claim(&self) -> Option<Claim> {
        if self.backend.readiness() != Readiness::Ready {
            return None;
        }
        let settings = &self.shared.settings;
        let filter = ClaimFilter {
            choices: self.shared.registry.claims(self.backend.as_ref()),
        };
        let claimed = self
            .shared
            .store
            .claim(&settings.worker, &filter, Timestamp::now(), settings.lease)
            .await;
        claimed.unwrap_or_else(|error| {
            warn!(error = &error as &dyn std::error::Error, "cannot look for jobs");
            None
        })
    }
}
