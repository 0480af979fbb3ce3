//! The contract of a job store: few primitives, to which the rules ([`crate::rules`]) say what is written.

use std::time::Duration;

use jiff::Timestamp;
use trellis_core::{Failure, Job, JobEvent, JobId, JobState, Progress};

use crate::rules::Command;
use crate::{
    Applied, CacheKey, Changes, Claim, ClaimFilter, Delivered, Delivery, Heartbeat, JobQuery, KeptLatents,
    Lease, NewJob, NextDelivery, Outcome, Owner, Page, Recovered, Settled, StoreError, StoreStats, StoredJob,
    Submitted, WaitingDeliveries, WaitingKind, WorkerName,
};

/// A durable queue of jobs. Each call is atomic. What a client was told and how a job ended survives a power cut once
/// the call returned; a claim and what is said of it before its end may be lost, and the job then runs again.
///
/// Times come from the caller, so that tests need no clock. A store implements the primitives; the methods with
/// a body are the same for all. [`crate::conformance`] tests one.
#[async_trait::async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Whether jobs may be given to this store: not once it was seen to be damaged.
    fn sound(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Accepts a job by [`crate::rules::accept`].
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError>;

    /// Has the queued job claimed that [`crate::rules::next`] says. `None`: nothing to do that may be done now, or no use
    /// in doing it while the store is damaged.
    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError>;

    /// Does to one job what [`crate::rules::apply`] says of `command`.
    async fn apply(&self, id: JobId, now: Timestamp, command: Command) -> Result<Applied, StoreError>;

    /// Running jobs whose lease has lapsed at `now`, and those held by `held_by`, with who holds each.
    async fn lapsed(
        &self,
        now: Timestamp,
        held_by: Option<&WorkerName>,
    ) -> Result<Vec<(JobId, WorkerName)>, StoreError>;

    /// One job.
    async fn find(&self, id: JobId) -> Result<StoredJob, StoreError>;

    /// A list.
    async fn list(&self, query: JobQuery) -> Result<Page, StoreError>;

    /// What happened to one job, or to all, after entry `after` (0: from the start), oldest first, at most
    /// `limit`.
    async fn events(&self, job: Option<JobId>, after: u64, limit: u32) -> Result<Vec<JobEvent>, StoreError>;

    /// Jobs of exactly this owner that succeeded with a result of this key, the newest first, at most `limit`.
    async fn cached(&self, owner: &Owner, key: &CacheKey, limit: u32) -> Result<Vec<StoredJob>, StoreError>;

    /// Live jobs that fit and list no preview, the oldest first, at most `limit`.
    async fn without_preview(&self, filter: &ClaimFilter, limit: u32) -> Result<Vec<JobId>, StoreError>;

    /// The kinds of jobs that wait, each once.
    async fn waiting(&self) -> Result<Vec<WaitingKind>, StoreError>;

    /// Jobs of that kind that wait and were accepted before `accepted_before`, the oldest first, at most `limit`.
    async fn waiting_of(
        &self,
        kind: &WaitingKind,
        accepted_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError>;

    /// The kinds of those of these jobs that wait, in any order.
    async fn waits_as(&self, jobs: &[JobId]) -> Result<Vec<(JobId, WaitingKind)>, StoreError>;

    /// Finished jobs that are to be forgotten: all but the newest `keep_jobs`, and those that ended
    /// before `ended_before`. Never a live one. At most `limit`, oldest first.
    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError>;

    /// What was sampled for finished jobs and is kept, the newest job first.
    async fn with_latents(&self) -> Result<Vec<KeptLatents>, StoreError>;

    /// How much there is.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// What the store was told to keep under that name.
    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Keeps a text under that name, in the place of an earlier one.
    async fn keep_memo(&self, name: &str, value: &str) -> Result<(), StoreError>;

    /// When anything last happened to a job that is kept.
    async fn newest(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Jobs that were deleted and whose files may still be there.
    async fn deleted(&self) -> Result<Vec<JobId>, StoreError>;

    /// Has it forget these: their files are gone.
    async fn forget_deleted(&self, jobs: &[JobId]) -> Result<(), StoreError>;

    /// Wakes when this job may have changed, by whatever process.
    fn subscribe(&self, job: JobId) -> Changes;

    /// Wakes when a job may have been queued.
    fn arrivals(&self) -> Changes;

    /// Takes the delivery that has been due for longest, but none to one of the hosts `passed_over`. Nobody else gets
    /// it for `lease`; then, unless it is settled, it is due again.
    async fn claim_delivery(
        &self,
        now: Timestamp,
        lease: Duration,
        passed_over: &[String],
    ) -> Result<NextDelivery, StoreError>;

    /// Writes what became of a claimed delivery. One that somebody else has claimed meanwhile is left to them, unless
    /// it arrived.
    async fn settle_delivery(&self, delivery: &Delivery, settled: Settled) -> Result<(), StoreError>;

    /// How many deliveries wait. Looked at now and then, for the figures.
    async fn waiting_deliveries(&self) -> Result<WaitingDeliveries, StoreError>;

    /// Wakes when a delivery may be due.
    fn deliveries(&self) -> Changes;

    /// Keeps a claimed job for `extend` from `now` on.
    async fn heartbeat(
        &self,
        lease: &Lease,
        now: Timestamp,
        extend: Duration,
    ) -> Result<Heartbeat, StoreError> {
        let beat = Command::Heartbeat {
            lease: lease.clone(),
            extend,
        };
        Ok(match self.apply(lease.job, now, beat).await?.state {
            Some(JobState::Running) => Heartbeat::Continue,
            _ => Heartbeat::Cancelled,
        })
    }

    /// Records how far it is.
    async fn progress(&self, lease: &Lease, now: Timestamp, progress: Progress) -> Result<(), StoreError> {
        let command = Command::Progress {
            lease: lease.clone(),
            progress,
        };
        self.apply(lease.job, now, command).await.map(|_| ())
    }

    /// Lists a preview of a live job, in the place of an earlier one of its name. It belongs to no attempt: a
    /// job that waits may have one, and it stays until the result takes its place.
    async fn preview(&self, id: JobId, now: Timestamp, file: Delivered) -> Result<(), StoreError> {
        self.apply(id, now, Command::Preview { file }).await.map(|_| ())
    }

    /// Ends the job with its result.
    async fn succeed(&self, lease: &Lease, now: Timestamp, outcome: Outcome) -> Result<(), StoreError> {
        let command = Command::Succeed {
            lease: lease.clone(),
            outcome: Box::new(outcome),
        };
        self.apply(lease.job, now, command).await.map(|_| ())
    }

    /// Ends the job without one.
    async fn fail(&self, lease: &Lease, now: Timestamp, failure: Failure) -> Result<(), StoreError> {
        let command = Command::Fail {
            lease: lease.clone(),
            failure,
        };
        self.apply(lease.job, now, command).await.map(|_| ())
    }

    /// Hands the job back to the queue without charging the attempt (a draining server).
    async fn release(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        let command = Command::Release { lease: lease.clone() };
        self.apply(lease.job, now, command).await.map(|_| ())
    }

    /// Requeues jobs whose lease has lapsed at `now`; those that were lost alone in each of `max_attempts` fail.
    /// With `held_by`, also every job held by that server, lapsed or not (a restart of that server).
    async fn recover(
        &self,
        now: Timestamp,
        max_attempts: u32,
        held_by: Option<&WorkerName>,
    ) -> Result<Recovered, StoreError> {
        let mut recovered = Recovered::default();
        let lapsed = self.lapsed(now, held_by).await?;
        for (id, holder) in &lapsed {
            let id = *id;
            let command = Command::Lapse {
                max_attempts,
                held_by: held_by.cloned(),
                alone: lapsed.iter().filter(|(_, other)| other == holder).count() == 1,
            };
            match self.apply(id, now, command).await.map(|applied| applied.job) {
                Ok(Some(job)) if job.state == JobState::Queued => recovered.requeued.push(id),
                Ok(Some(_)) => recovered.failed.push(id),
                // Its worker gave a sign of life, or it ended, meanwhile.
                Ok(None) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(recovered)
    }

    /// One job as clients see it.
    async fn get(&self, id: JobId) -> Result<Job, StoreError> {
        Ok(self.find(id).await?.job)
    }
}
