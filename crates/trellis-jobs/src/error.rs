//! Why a job is not what somebody wants it to be, or a store does not answer.

use trellis_core::{JobId, JobState, file_size};

use crate::{OpenError, advice};

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
    #[error("attempt {attempt} of job `{id}` is no longer current")]
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
    /// Too many jobs of this owner wait.
    #[error("{queued} jobs of this API key wait, and its limit is {limit}")]
    OwnQueueFull {
        /// How many wait.
        queued: u64,
        /// How many may.
        limit: u64,
    },
    /// The jobs of this owner keep too much.
    #[error(
        "the jobs of this API key keep {} of the {} that it may keep, and this one would be too much",
        file_size(*kept_bytes),
        file_size(*limit_bytes)
    )]
    OwnStorageFull {
        /// What they keep.
        kept_bytes: u64,
        /// What they may keep.
        limit_bytes: u64,
    },
    /// The same `Idempotency-Key` came with another request.
    #[error("the idempotency key `{key}` was used for another request")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The disk has no room for another job.
    #[error(
        "the disk is nearly full: {} are free, and {} are kept for the jobs that were accepted before",
        file_size(*free_bytes),
        file_size(*kept_bytes)
    )]
    NoRoom {
        /// What is free.
        free_bytes: u64,
        /// What is to stay free.
        kept_bytes: u64,
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

/// Why a store is unavailable where its answer was lost: the change that it was asked for may have been made.
#[derive(Debug, thiserror::Error)]
#[error("nobody knows whether the change was made")]
pub struct Undecided {
    /// What kept it from answering.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    /// Whether the change may have been made all the same, now or a little later: what belongs to it must stay.
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::Unavailable { source } if source.is::<Undecided>())
    }

    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "job_not_found",
            Self::LeaseLost { .. } => "lease_lost",
            Self::WrongState { .. } => "wrong_state",
            Self::QueueFull { .. } => "queue_full",
            Self::OwnQueueFull { .. } => "key_queue_full",
            Self::OwnStorageFull { .. } => "key_storage_full",
            Self::KeyReused { .. } => "idempotency_key_reused",
            Self::NoRoom { .. } | Self::Full { .. } => "storage_full",
            Self::Corrupt { .. } => "database_corrupt",
            Self::Unavailable { .. } => "database_unavailable",
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "list the jobs that are kept with `GET /v1/jobs`",
            Self::LeaseLost { .. } => "stop working on it: the job was cancelled or given to another worker",
            Self::WrongState { .. } => "cancel a live job before deleting it; a finished job does not change",
            Self::QueueFull { .. } => "wait until some jobs have finished, then submit again",
            Self::OwnQueueFull { .. } => {
                "wait until some of this key's jobs have begun, or cancel some with `POST /v1/jobs/{id}/cancel`, then submit again"
            }
            Self::OwnStorageFull { .. } => {
                "delete finished jobs of this key with `DELETE /v1/jobs/{id}`; `GET /v1/jobs` lists them, the oldest last"
            }
            Self::KeyReused { .. } => "use a new `Idempotency-Key` for a new request",
            Self::NoRoom { .. } | Self::Full { .. } => advice::FREE_SPACE,
            Self::Corrupt { .. } => {
                "stop the server, move the job database and its `-wal` and `-shm` files away, put back a copy if \
                 there is one, and run `trellis jobs rescue`, which lists the jobs again from their files"
            }
            Self::Unavailable { source } => source
                .downcast_ref()
                .and_then(OpenError::advice)
                .unwrap_or(advice::READ_LOG),
        }
    }
}
