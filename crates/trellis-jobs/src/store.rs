//! The contract of a job store: few primitives, to which the rules ([`crate::rules`]) say what is written.

use std::time::Duration;

use jiff::Timestamp;
use trellis_core::{
    Artifact, BackendChoice, Failure, Input, Job, JobEvent, JobId, JobState, Params, Progress, Provenance,
    StatementFile, Timings,
};

use crate::rules::Command;
use crate::{BlobKey, CacheKey, Changes, Owner};

/// A job to be accepted. Its pictures are already in the blob store, on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its name, chosen by the caller because the pictures are stored under it first.
    pub id: JobId,
    /// Whose it is.
    pub owner: Owner,
    /// When it is accepted.
    pub now: Timestamp,
    /// Which backend it asks for.
    pub backend: BackendChoice,
    /// Checked parameters.
    pub params: Params,
    /// The pictures and where they are.
    pub inputs: Vec<(Input, BlobKey)>,
    /// The client's `Idempotency-Key` with a digest of the request: the same key of the same owner with the
    /// same digest answers with the first job, with another digest it is an error.
    pub idempotency: Option<(String, String)>,
    /// Refuse the job where so many are already queued.
    pub queue_limit: u64,
    /// The result of an earlier job, with blobs of this job's own: the job is then done as soon as it is
    /// accepted.
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
    /// By what later jobs that ask the same find it; `None`: they do not.
    pub cache_key: Option<CacheKey>,
}

/// A job with what only the server knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredJob {
    /// The job.
    pub job: Job,
    /// Whose it is.
    pub owner: Owner,
    /// Where its pictures are, in the order of `job.inputs`.
    pub inputs: Vec<BlobKey>,
    /// Where its files are, in the order of `job.artifacts`.
    pub artifacts: Vec<BlobKey>,
    /// Where the statement is, if there is one.
    pub statement: Option<BlobKey>,
    /// By what later jobs that ask the same find its result.
    pub cache_key: Option<CacheKey>,
}

impl StoredJob {
    /// The result of a job that succeeded, as it was made.
    pub fn into_outcome(self) -> Option<Outcome> {
        let job = self.job;
        if job.state != JobState::Succeeded {
            return None;
        }
        let files = job.artifacts.into_iter().zip(self.artifacts);
        let statement = job.statement.zip(self.statement);
        Some(Outcome {
            made_by: job.made_by?,
            artifacts: files.map(|(artifact, key)| Delivered { artifact, key }).collect(),
            notes: job.notes,
            timings: job.timings,
            provenance: job.provenance,
            statement: statement.map(|(file, key)| DeliveredStatement { file, key }),
            cache_key: self.cache_key,
        })
    }
}

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Where the job stands now; `None`: it is forgotten.
    pub state: Option<JobState>,
    /// The job, where its state changed.
    pub job: Option<Job>,
}

/// A question for a list of jobs, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Only jobs that this owner sees.
    pub owner: Owner,
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
/// Times come from the caller, so that tests need no clock. A store implements the primitives; the methods with
/// a body are the same for all. [`crate::conformance`] tests one.
#[async_trait::async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Accepts a job by [`crate::rules::accept`].
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError>;

    /// Has the oldest queued job that fits claimed. `None`: nothing to do.
    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError>;

    /// Does to one job what [`crate::rules::apply`] says of `command`.
    async fn apply(&self, id: JobId, now: Timestamp, command: Command) -> Result<Applied, StoreError>;

    /// Running jobs whose lease has lapsed at `now`, and those held by `held_by`.
    async fn lapsed(&self, now: Timestamp, held_by: Option<&WorkerName>) -> Result<Vec<JobId>, StoreError>;

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

    /// Finished jobs that are to be forgotten: all but the newest `keep_jobs`, and those that ended
    /// before `ended_before`. Never a live one. At most `limit`, oldest first.
    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError>;

    /// How much there is.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Wakes when this job may have changed, by whatever process.
    fn subscribe(&self, job: JobId) -> Changes;

    /// Wakes when a job may have been queued.
    fn arrivals(&self) -> Changes;

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

    /// Requeues jobs whose lease has lapsed at `now`; those with `max_attempts` behind them fail.
    /// With `held_by`, also every job held by that worker, lapsed or not (a restart of that worker).
    async fn recover(
        &self,
        now: Timestamp,
        max_attempts: u32,
        held_by: Option<&WorkerName>,
    ) -> Result<Recovered, StoreError> {
        let mut recovered = Recovered::default();
        for id in self.lapsed(now, held_by).await? {
            let held_by = held_by.cloned();
            let command = Command::Lapse {
                max_attempts,
                held_by,
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
