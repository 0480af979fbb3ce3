//! The contract of a job store.

use std::time::Duration;

use jiff::Timestamp;
use trellis_core::{
    Artifact, BackendChoice, Failure, Input, Job, JobEvent, JobId, JobState, Params, Progress, Provenance,
    StatementFile, Timings,
};

use crate::BlobKey;

/// A job to be accepted. Its pictures are already in the blob store, on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its name, chosen by the caller because the pictures are stored under it first.
    pub id: JobId,
    /// When it is accepted.
    pub now: Timestamp,
    /// Which backend it asks for.
    pub backend: BackendChoice,
    /// Checked parameters.
    pub params: Params,
    /// The pictures and where they are.
    pub inputs: Vec<(Input, BlobKey)>,
    /// The client's `Idempotency-Key` with a digest of the request: the same key with the same digest
    /// answers with the first job, with another digest it is an error.
    pub idempotency: Option<(String, String)>,
    /// Refuse the job where so many are already queued.
    pub queue_limit: u64,
    /// A kept result, with blobs of this job's own: the job is then done as soon as it is accepted.
    pub recalled: Option<Outcome>,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The job: the new one, or the earlier one of the same `Idempotency-Key`.
    pub job: Job,
    /// Whether it is the earlier one; the pictures stored for the new one are then not referred to.
    pub replayed: bool,
}

/// Who claims jobs, unique among all processes that share a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerName(pub String);

/// Which jobs a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimFilter {
    /// The choices it can serve, such as `[Auto, Relief]`.
    pub choices: Vec<BackendChoice>,
}

/// The right to work on one attempt of one job. Every later call names it; a store refuses with
/// [`StoreError::LeaseLost`] once the attempt is no longer the current one, so that a worker thought
/// dead cannot overwrite its successor's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Who holds it.
    pub worker: WorkerName,
}

/// A claimed job.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a claimed job must end: succeed, fail or release it"]
pub struct Claim {
    /// The right to work on it.
    pub lease: Lease,
    /// The job, now running.
    pub job: Job,
    /// Where its pictures are, in order.
    pub inputs: Vec<BlobKey>,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// Go on.
    Continue,
    /// Somebody cancelled the job: stop, nothing more is to be reported.
    Cancelled,
}

/// A finished file and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The file.
    pub artifact: Artifact,
    /// Its bytes.
    pub key: BlobKey,
}

/// A statement and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredStatement {
    /// The statement.
    pub file: StatementFile,
    /// Its bytes.
    pub key: BlobKey,
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Which backend made it.
    pub made_by: String,
    /// Every finished file, none of them a preview.
    pub artifacts: Vec<Delivered>,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// What making it took, unless it was made for an earlier job.
    pub timings: Option<Timings>,
    /// What made it.
    pub provenance: Option<Provenance>,
    /// The statement about it.
    pub statement: Option<DeliveredStatement>,
}

/// A question for a list of jobs, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// At most so many, at least 1.
    pub limit: u32,
    /// Only jobs before this one.
    pub before: Option<JobId>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// Where the next part starts, if there is one.
    pub next: Option<JobId>,
}

/// What a sweep for lapsed leases did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Back in the queue.
    pub requeued: Vec<JobId>,
    /// Given up with [`trellis_core::FailureKind::WorkerLost`] after the last attempt.
    pub failed: Vec<JobId>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Jobs waiting.
    pub queued: u64,
    /// Jobs being worked on.
    pub running: u64,
    /// Jobs that succeeded and are kept.
    pub succeeded: u64,
    /// Jobs that failed and are kept.
    pub failed: u64,
    /// Jobs that were cancelled and are kept.
    pub cancelled: u64,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such job.
    #[error("there is no job `{id}`")]
    NotFound {
        /// The name asked for.
        id: JobId,
    },
    /// The attempt is not the current one any more.
    #[error("attempt {attempt} of job `{id}` is no longer the current one")]
    LeaseLost {
        /// The job.
        id: JobId,
        /// The attempt that tried.
        attempt: u32,
    },
    /// The job is live and cannot be deleted, or final and cannot be changed.
    #[error("job `{id}` is {state} and does not allow this")]
    WrongState {
        /// The job.
        id: JobId,
        /// Where it stands.
        state: JobState,
    },
    /// Too many jobs wait.
    #[error("the queue is full: {queued} waiting, and the limit is {limit}")]
    QueueFull {
        /// How many wait.
        queued: u64,
        /// How many may.
        limit: u64,
    },
    /// The same `Idempotency-Key` came with another request.
    #[error("the idempotency key `{key}` was used for another request")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The disk or the quota is full.
    #[error("the job database cannot grow: the disk is full")]
    Full {
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database is damaged.
    #[error("the job database is damaged")]
    Corrupt {
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else.
    #[error("the job database cannot be used")]
    Unavailable {
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A durable queue of jobs. Each call is atomic; what it returned with `Ok` survives a power cut.
///
/// Times come from the caller, so that tests need no clock.
#[async_trait::async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Accepts a job. It is on disk when this returns.
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError>;

    /// Takes the oldest queued job that fits, for `lease` from `now` on. `None`: nothing to do.
    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError>;

    /// Keeps a claimed job for `lease` from `now` on.
    async fn heartbeat(
        &self,
        lease: &Lease,
        now: Timestamp,
        extend: Duration,
    ) -> Result<Heartbeat, StoreError>;

    /// Records how far it is.
    async fn progress(&self, lease: &Lease, now: Timestamp, progress: Progress) -> Result<(), StoreError>;

    /// Lists a preview of a live job, in the place of an earlier one of its name. It belongs to no attempt: a
    /// job that waits may have one, and it stays until the result takes its place.
    async fn preview(&self, id: JobId, now: Timestamp, file: Delivered) -> Result<(), StoreError>;

    /// Live jobs that fit and list no preview, the oldest first, at most `limit`.
    async fn without_preview(&self, filter: &ClaimFilter, limit: u32) -> Result<Vec<JobId>, StoreError>;

    /// Ends the job with its result.
    async fn succeed(&self, lease: &Lease, now: Timestamp, outcome: Outcome) -> Result<Job, StoreError>;

    /// Ends the job without one.
    async fn fail(&self, lease: &Lease, now: Timestamp, failure: Failure) -> Result<Job, StoreError>;

    /// Hands the job back to the queue without charging the attempt (a draining server).
    async fn release(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError>;

    /// Cancels a queued or running job.
    async fn cancel(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError>;

    /// Forgets a finished job and returns the keys of the blobs that nothing refers to any more.
    async fn delete(&self, id: JobId) -> Result<Vec<BlobKey>, StoreError>;

    /// Requeues jobs whose lease has lapsed at `now`; those with `max_attempts` behind them fail.
    /// With `held_by`, also every job held by that worker, lapsed or not (a restart of that worker).
    async fn recover(
        &self,
        now: Timestamp,
        max_attempts: u32,
        held_by: Option<&WorkerName>,
    ) -> Result<Recovered, StoreError>;

    /// One job.
    async fn get(&self, id: JobId) -> Result<Job, StoreError>;

    /// Where a job's files are: its pictures in order and its artifacts by name.
    async fn input_key(&self, id: JobId, index: u32) -> Result<Option<(Input, BlobKey)>, StoreError>;

    /// The finished file of that name.
    async fn artifact_key(&self, id: JobId, name: &str) -> Result<Option<Delivered>, StoreError>;

    /// The statement about its result.
    async fn statement_key(&self, id: JobId) -> Result<Option<DeliveredStatement>, StoreError>;

    /// A list.
    async fn list(&self, query: JobQuery) -> Result<Page, StoreError>;

    /// What happened to a job after entry `after` (0: from the start), oldest first, at most `limit`.
    async fn events(&self, id: JobId, after: u64, limit: u32) -> Result<Vec<JobEvent>, StoreError>;

    /// Resolves when something may have changed since `watch` was called: claim or read again then.
    /// A hint for speed only: whoever waits also looks again after a while.
    fn watch(&self) -> tokio::sync::watch::Receiver<u64>;

    /// Finished jobs that are to be forgotten: all but the newest `keep_jobs`, and those that ended
    /// before `ended_before`. Never a live one. At most `limit`, oldest first.
    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError>;

    /// Whether any job refers to blobs under this job's name (the janitor removes the rest).
    async fn knows(&self, id: JobId) -> Result<bool, StoreError>;

    /// How much there is.
    async fn stats(&self) -> Result<StoreStats, StoreError>;
}
