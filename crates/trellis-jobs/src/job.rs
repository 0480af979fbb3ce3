//! What the rules, a store and the service hand each other of a job.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trellis_core::{
    Artifact, AssetName, BackendChoice, Demand, Input, Job, JobId, JobState, LatentsFile, Params,
    PictureFormat, Priority, Provenance, Sha256, Source, StatementFile, Timings, TraceParent,
};

use crate::{Ability, BlobKey, CacheKey, Needs, Owner, Webhook};

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
    /// How urgent it is among its owner's.
    pub priority: Priority,
    /// What people are to call it.
    pub name: Option<AssetName>,
    /// What it is made from, where it is an export. A copy is at [`BlobKey::source`] or [`BlobKey::source_latents`].
    pub source: Option<Source>,
    /// Checked parameters.
    pub params: Params,
    /// The pictures and where they are.
    pub inputs: Vec<(Input, BlobKey)>,
    /// The client's `Idempotency-Key` with a digest of the request: the same key of the same owner with the
    /// same digest answers with the first job, with another digest it is an error.
    pub idempotency: Option<(String, String)>,
    /// The trace that it belongs to.
    pub traceparent: Option<TraceParent>,
    /// Who is told of it.
    pub webhook: Option<Webhook>,
    /// What whoever works on it must have.
    pub needs: Needs,
    /// Refuse the job where so many are already queued.
    pub queue_limit: u64,
    /// The result of an earlier job, with blobs of this job's own: the job is then done as soon as it is
    /// accepted.
    pub recalled: Option<Outcome>,
}

impl NewJob {
    /// Who may make it.
    pub fn demand(&self) -> Demand {
        Demand::new(self.backend, self.params.model.model())
    }
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimFilter {
    /// What it can serve.
    pub demands: Vec<Demand>,
    /// How many jobs of these owners may run at a time; of others as many as there is room for.
    pub running_limits: Arc<RunningLimits>,
    /// What it can do: jobs that need more are left to others.
    pub ability: Ability,
}

/// Names of owners, and how many jobs of each may run at a time.
pub type RunningLimits = HashMap<String, u64>;

impl ClaimFilter {
    /// Takes jobs that demand one of these, of all owners alike.
    pub fn of(demands: impl IntoIterator<Item = impl Into<Demand>>) -> Self {
        Self {
            demands: demands.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
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

/// Jobs that wait and that the same servers can do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitingKind {
    /// The text of what they demand ([`Demand`]); a newer version may have written it.
    pub demand: String,
    /// The text of what they need ([`Needs::to_text`]).
    pub needs: String,
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

/// A small picture of a job and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Its format.
    pub format: PictureFormat,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its bytes.
    pub key: BlobKey,
}

/// What was sampled for a job and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latents {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Names what alone can decode it.
    pub decoder: Sha256,
    /// Its bytes.
    pub key: BlobKey,
}

impl Latents {
    /// What clients see of it.
    pub fn shown(&self) -> LatentsFile {
        LatentsFile {
            size_bytes: self.size_bytes,
        }
    }
}

/// What was sampled for a job that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLatents {
    /// The job.
    pub job: JobId,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What was sampled.
    pub latents: Latents,
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
    /// What was sampled for it, where that is kept.
    pub latents: Option<Latents>,
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
    /// Its small picture.
    pub thumbnail: Option<Thumbnail>,
    /// What was sampled for it, where that is kept; `job.latents` is the part that is shown.
    pub latents: Option<Latents>,
    /// By what later jobs that ask the same find its result.
    pub cache_key: Option<CacheKey>,
    /// Who is told of it; `job.webhook` is the part that is shown.
    pub webhook: Option<Webhook>,
}

impl StoredJob {
    /// The job as this owner sees it.
    pub fn shown_to(mut self, by: &Owner) -> Job {
        self.job.owner = self.owner.name_for(by);
        self.job
    }

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
            latents: self.latents,
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
    /// The small picture in whose place there is another one now.
    pub replaced: Option<Thumbnail>,
}

/// A question for a list of jobs, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Only jobs that this owner sees.
    pub owner: Owner,
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs whose name has this in it, in whatever case.
    pub name: Option<String>,
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
