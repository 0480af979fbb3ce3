//! One place to work: takes a job, works on it, takes the next while the result is still being stored.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{Instrument, error, info_span, warn};
use trellis_backend::{Backend, Readiness};
use trellis_jobs::{Claim, ClaimFilter};

use crate::attempt::Attempt;
use crate::in_vain::InVain;
use crate::shared::Shared;
use crate::suspects::Turn;

/// How often a slot looks by itself whether it may work: a backend that becomes ready makes no announcement.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So many attempts may be storing results while the backend works: a disk that is too slow holds it up.
const STORING: usize = 2;

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
        // Dropped with the slot, which ends what is in it.
        let mut attempts = JoinSet::new();
        let mut in_vain = InVain::default();
        while !self.shared.closing.is_cancelled() {
            while attempts.len() >= STORING {
                ended(attempts.join_next().await);
            }
            changes.mark_seen();
            if let Some((claim, turn)) = self.look(&mut in_vain).await {
                let job = claim.lease.job;
                let traceparent = claim.job.traceparent.map(String::from);
                let span = info_span!("attempt", %job, attempt = claim.lease.attempt, traceparent);
                let attempt = Attempt::new(self.shared.clone(), self.backend.clone(), claim);
                let (free, freed) = oneshot::channel();
                let shared = self.shared.clone();
                let run = async move {
                    let _turn = turn;
                    attempt.run(free).await;
                    shared.suspects.acquit(job);
                };
                // On a task of its own: a defect costs one attempt, whose lease then lapses, and not the slot.
                attempts.spawn(run.instrument(span));
                // Sent or dropped, the backend has nothing left to do for it.
                let _ = freed.await;
                continue;
            }
            tokio::select! {
                () = self.shared.closing.cancelled() => {}
                _ = changes.changed() => in_vain.forget(),
                () = tokio::time::sleep(LOOK_EVERY) => {}
                stored = attempts.join_next(), if !attempts.is_empty() => ended(stored),
            }
        }
        while let Some(stored) = attempts.join_next().await {
            ended(Some(stored));
        }
    }

    /// Claims a job, unless nothing has changed since it asked in vain.
    async fn look(&self, in_vain: &mut InVain) -> Option<(Claim, Turn)> {
        let Some(filter) = self.asks().await else {
            in_vain.forget();
            return None;
        };
        if !in_vain.asks_again(&filter, Instant::now()) {
            return None;
        }
        let claimed = self.claim(&filter).await;
        match &claimed {
            Some(_) => in_vain.forget(),
            None => in_vain.note(filter, Instant::now()),
        }
        claimed
    }

    /// What it may work on now.
    async fn asks(&self) -> Option<ClaimFilter> {
        if self.backend.readiness() != Readiness::Ready {
            return None;
        }
        if *self.shared.rests.borrow() || !self.shared.has_room().await {
            return None;
        }
        Some(ClaimFilter {
            demands: self.shared.registry.claims(self.backend.as_ref()),
            running_limits: self.shared.settings.running_limits.borrow().clone(),
            ability: (self.shared.abilities)(self.backend.as_ref()),
        })
    }

    async fn claim(&self, filter: &ClaimFilter) -> Option<(Claim, Turn)> {
        let settings = &self.shared.settings;
        let turn = tokio::select! {
            turn = self.shared.suspects.turn(&filter.demands) => turn,
            () = self.shared.closing.cancelled() => return None,
        };
        // Never abandoned half-way: a claim that nobody hears of would wait until its lease lapses.
        let claimed = self
            .shared
            .store
            .claim(&settings.worker, filter, Timestamp::now(), settings.lease)
            .await;
        match claimed {
            Ok(claim) => {
                let job = claim.as_ref().map(|claim| claim.lease.job);
                let turn = self.shared.suspects.settle(turn, &filter.demands, job);
                claim.map(|claim| (claim, turn))
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "cannot look for jobs");
                None
            }
        }
    }
}

fn ended(attempt: Option<Result<(), JoinError>>) {
    if let Some(Err(panic)) = attempt {
        error!(%panic, "attempt panicked; its job is requeued when the lease expires");
    }
}
