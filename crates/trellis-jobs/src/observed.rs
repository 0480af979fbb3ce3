//! A store that tells somebody of each job whose state changed here, for figures and messages.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use trellis_core::{Job, JobEvent, JobId};

use crate::rules::Command;
use crate::{
    Applied, CacheKey, Changes, Claim, ClaimFilter, JobQuery, JobStore, NewJob, Owner, Page, StoreError,
    StoreStats, StoredJob, Submitted, WorkerName,
};

/// Who is told. Calls return at once.
pub trait JobObserver: Send + Sync + 'static {
    /// The job has just entered its state, by way of this process.
    fn changed(&self, job: &Job);
}

/// The store, and who is told.
pub struct ObservedStore {
    store: Arc<dyn JobStore>,
    observer: Arc<dyn JobObserver>,
}

impl ObservedStore {
    /// Tells `observer` what happens in `store`.
    pub fn new(store: Arc<dyn JobStore>, observer: Arc<dyn JobObserver>) -> Self {
        Self { store, observer }
    }
}

#[async_trait::async_trait]
impl JobStore for ObservedStore {
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError> {
        let submitted = self.store.submit(new).await?;
        if !submitted.replayed {
            self.observer.changed(&submitted.job);
        }
        Ok(submitted)
    }

    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let claim = self.store.claim(worker, filter, now, lease).await?;
        if let Some(claim) = &claim {
            self.observer.changed(&claim.job);
        }
        Ok(claim)
    }

    async fn apply(&self, id: JobId, now: Timestamp, command: Command) -> Result<Applied, StoreError> {
        let applied = self.store.apply(id, now, command).await?;
        if let Some(job) = &applied.job {
            self.observer.changed(job);
        }
        Ok(applied)
    }

    async fn lapsed(&self, now: Timestamp, held_by: Option<&WorkerName>) -> Result<Vec<JobId>, StoreError> {
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

    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.store.expired(keep_jobs, ended_before, limit).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.store.stats().await
    }

    fn subscribe(&self, job: JobId) -> Changes {
        self.store.subscribe(job)
    }

    fn arrivals(&self) -> Changes {
        self.store.arrivals()
    }
}
