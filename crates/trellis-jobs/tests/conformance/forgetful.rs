//! A store whose answers are lost: it does what it is asked for, and says that it is out of reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use trellis_core::{JobEvent, JobId};

use crate::rules::Command;
use crate::{
    Applied, CacheKey, Changes, Claim, ClaimFilter, Delivery, JobQuery, JobStore, KeptLatents, NewJob,
    NextDelivery, Owner, Page, Settled, StoreError, StoreStats, StoredJob, Submitted, Undecided,
    WaitingDeliveries, WaitingKind, WorkerName,
};

/// Such a store, around one that answers.
pub struct Forgetful {
    store: Arc<dyn JobStore>,
    /// How many answers are still to be lost, of submissions, edits, previews and successes.
    lost: AtomicU32,
}

impl Forgetful {
    /// Of these calls, the first `lost` are done without an answer.
    pub fn new(store: Arc<dyn JobStore>, lost: u32) -> Self {
        Self {
            store,
            lost: lost.into(),
        }
    }

    fn answer<T>(&self, done: T) -> Result<T, StoreError> {
        let one_less = |lost: u32| lost.checked_sub(1);
        let lost = self
            .lost
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        match lost {
            Err(_) => Ok(done),
            Ok(_) => Err(StoreError::Unavailable {
                source: Box::new(Undecided {
                    source: "the connection was lost".into(),
                }),
            }),
        }
    }
}

#[async_trait::async_trait]
impl JobStore for Forgetful {
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError> {
        self.answer(self.store.submit(new).await?)
    }

    async fn apply(&self, id: JobId, now: Timestamp, command: Command) -> Result<Applied, StoreError> {
        let counts = matches!(
            command,
            Command::Succeed { .. } | Command::Edit { .. } | Command::Preview { .. }
        );
        let applied = self.store.apply(id, now, command).await?;
        if counts { self.answer(applied) } else { Ok(applied) }
    }

    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        self.store.claim(worker, filter, now, lease).await
    }

    fn sound(&self) -> Result<(), StoreError> {
        self.store.sound()
    }

    async fn lapsed(
        &self,
        now: Timestamp,
        held_by: Option<&WorkerName>,
    ) -> Result<Vec<(JobId, WorkerName)>, StoreError> {
        self.store.lapsed(now, held_by).await
    }

    async fn find(&self, id: JobId) -> Result<StoredJob, StoreError> {
        self.store.find(id).await
    }

    async fn list(&self, query: JobQuery) -> Result<Page, StoreError> {
        self.store.list(query).await
    }

    async fn events(&self, job: Option<JobId>, after: u64, limit: u32) -> Result<Vec<JobEvent>, StoreError> {
        self.store.events(job, after, limit).await
    }

    async fn cached(&self, owner: &Owner, key: &CacheKey, limit: u32) -> Result<Vec<StoredJob>, StoreError> {
        self.store.cached(owner, key, limit).await
    }

    async fn without_preview(&self, filter: &ClaimFilter, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.store.without_preview(filter, limit).await
    }

    async fn waiting(&self) -> Result<Vec<WaitingKind>, StoreError> {
        self.store.waiting().await
    }

    async fn waiting_of(
        &self,
        kind: &WaitingKind,
        accepted_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.store.waiting_of(kind, accepted_before, limit).await
    }

    async fn waits_as(&self, jobs: &[JobId]) -> Result<Vec<(JobId, WaitingKind)>, StoreError> {
        self.store.waits_as(jobs).await
    }

    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.store.expired(keep_jobs, ended_before, limit).await
    }

    async fn with_latents(&self) -> Result<Vec<KeptLatents>, StoreError> {
        self.store.with_latents().await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.store.stats().await
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.store.memo(name).await
    }

    async fn keep_memo(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.store.keep_memo(name, value).await
    }

    async fn newest(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.newest().await
    }

    async fn deleted(&self) -> Result<Vec<JobId>, StoreError> {
        self.store.deleted().await
    }

    async fn forget_deleted(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        self.store.forget_deleted(jobs).await
    }

    fn subscribe(&self, job: JobId) -> Changes {
        self.store.subscribe(job)
    }

    fn arrivals(&self) -> Changes {
        self.store.arrivals()
    }

    async fn claim_delivery(
        &self,
        now: Timestamp,
        lease: Duration,
        passed_over: &[String],
    ) -> Result<NextDelivery, StoreError> {
        self.store.claim_delivery(now, lease, passed_over).await
    }

    async fn settle_delivery(&self, delivery: &Delivery, settled: Settled) -> Result<(), StoreError> {
        self.store.settle_delivery(delivery, settled).await
    }

    async fn waiting_deliveries(&self) -> Result<WaitingDeliveries, StoreError> {
        self.store.waiting_deliveries().await
    }

    fn deliveries(&self) -> Changes {
        self.store.deliveries()
    }
}
