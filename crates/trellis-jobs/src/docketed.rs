//! A job store that writes dockets: each job that is accepted or ends leaves a small file beside its own, whoever did
//! it (`docket.rs`). It also tells an observer of each job whose state changes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;
use trellis_core::{Job, JobEvent, JobId, JobState};

use crate::docket::Docket;
use crate::rules::Command;
use crate::{
    Applied, BlobError, BlobKey, BlobStore, CacheKey, Changes, Claim, ClaimFilter, Delivery, JobObserver,
    JobQuery, JobStore, KeptLatents, NewJob, NextDelivery, Owner, Page, Settled, StoreError, StoreStats,
    StoredJob, Submitted, SweepError, WaitingDeliveries, WaitingKind, Webhook, WorkerName,
};

/// A store with dockets. Clones share both.
#[derive(Clone)]
pub struct Docketed {
    store: Arc<dyn JobStore>,
    blobs: Arc<dyn BlobStore>,
    observer: Option<Arc<dyn JobObserver>>,
}

impl Docketed {
    /// Has dockets of the jobs in `store` written to `blobs`.
    pub fn new(store: Arc<dyn JobStore>, blobs: Arc<dyn BlobStore>) -> Self {
        Self {
            store,
            blobs,
            observer: None,
        }
    }

    /// Has `observer` told of each job whose state changes here.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn JobObserver>) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    fn tell(&self, job: &Job) {
        if let Some(observer) = &self.observer {
            observer.changed(job);
        }
    }

    /// Writes the dockets that are missing: of jobs of earlier versions, and of those that a full disk or a crash kept
    /// from getting theirs. Returns how many.
    pub async fn complete(&self) -> Result<usize, SweepError> {
        let mut written = 0;
        for id in self.blobs.jobs().await? {
            let stored = match self.store.find(id).await {
                Ok(stored) => stored,
                Err(StoreError::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let key = key(&stored);
            match self.blobs.read(&key, 0..0).await {
                Err(BlobError::NotFound { .. }) => {}
                Ok(_) | Err(_) => continue,
            }
            let idempotency = None;
            self.blobs
                .jot(&key, Docket { stored, idempotency }.to_json().into())
                .await?;
            written += 1;
        }
        Ok(written)
    }

    /// Writes how the job stands. Without it the job is the worse off only when the database is lost as well.
    async fn write(&self, id: JobId, idempotency: Option<(String, String)>) {
        let docket = async {
            let stored = self.store.find(id).await?;
            Ok(self.jot(Docket { stored, idempotency }).await?)
        };
        said(id, docket.await);
    }

    async fn jot(&self, docket: Docket) -> Result<(), BlobError> {
        self.blobs
            .jot(&key(&docket.stored), docket.to_json().into())
            .await
    }
}

fn said(id: JobId, written: Result<(), SweepError>) {
    if let Err(error) = written {
        warn!(job = %id, error = &error as &dyn std::error::Error, "the job's docket cannot be written");
    }
}

/// Where the docket of a job in that state belongs.
fn key(stored: &StoredJob) -> BlobKey {
    let job = &stored.job;
    if job.state.is_final() {
        BlobKey::ended(job.id)
    } else {
        BlobKey::accepted(job.id)
    }
}

/// What only the server knows of a job that was just accepted.
struct Accepted {
    owner: Owner,
    inputs: Vec<BlobKey>,
    webhook: Option<Webhook>,
}

impl Accepted {
    fn of(new: &NewJob) -> Self {
        Self {
            owner: new.owner.clone(),
            inputs: new.inputs.iter().map(|(_, key)| key.clone()).collect(),
            webhook: new.webhook.clone(),
        }
    }

    /// As the store would tell it.
    fn stored(self, job: Job) -> StoredJob {
        StoredJob {
            job,
            owner: self.owner,
            inputs: self.inputs,
            artifacts: Vec::new(),
            statement: None,
            thumbnail: None,
            latents: None,
            cache_key: None,
            webhook: self.webhook,
        }
    }
}

#[async_trait::async_trait]
impl JobStore for Docketed {
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError> {
        let idempotency = new.idempotency.clone();
        // Of one that is done at once, the store knows more than was asked.
        let accepted = new.recalled.is_none().then(|| Accepted::of(&new));
        let submitted = self.store.submit(new).await?;
        if submitted.replayed {
            return Ok(submitted);
        }
        self.tell(&submitted.job);
        match accepted {
            None => self.write(submitted.job.id, idempotency).await,
            Some(accepted) => {
                let stored = accepted.stored(submitted.job.clone());
                let written = self.jot(Docket { stored, idempotency }).await;
                said(submitted.job.id, written.map_err(SweepError::from));
            }
        }
        Ok(submitted)
    }

    async fn apply(&self, id: JobId, now: Timestamp, command: Command) -> Result<Applied, StoreError> {
        let edits = matches!(command, Command::Edit { .. });
        let applied = self.store.apply(id, now, command).await?;
        // The docket of a job that goes on is written once it ends.
        if edits && applied.state.is_some_and(JobState::is_final) {
            self.write(id, None).await;
        }
        if let Some(job) = &applied.job {
            self.tell(job);
            if job.state.is_final() {
                self.write(id, None).await;
            }
        }
        Ok(applied)
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
            self.tell(&claim.job);
        }
        Ok(claim)
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
