//! Stable names and advice of this crate's errors.

use crate::{BlobError, StoreError};

const FREE_SPACE: &str = "free disk space in the data directory, then try again";
const READ_LOG: &str = "look at the server's log for what the system said, then try again";

impl StoreError {
    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "job_not_found",
            Self::LeaseLost { .. } => "lease_lost",
            Self::WrongState { .. } => "wrong_state",
            Self::QueueFull { .. } => "queue_full",
            Self::KeyReused { .. } => "idempotency_key_reused",
            Self::Full { .. } => "storage_full",
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
            Self::QueueFull { .. } => "wait until some jobs are done, then submit again",
            Self::KeyReused { .. } => "use a new `Idempotency-Key` for a new request",
            Self::Full { .. } => FREE_SPACE,
            Self::Corrupt { .. } => {
                "stop the server, move the job database and its `-wal` and `-shm` files away, put back a copy \
                 or start with an empty one"
            }
            Self::Unavailable { .. } => READ_LOG,
        }
    }
}

impl BlobError {
    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "blob_not_found",
            Self::Full { .. } => "storage_full",
            Self::Unavailable { .. } => "blobs_unavailable",
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "submit the job again: its file was removed from the data directory",
            Self::Full { .. } => FREE_SPACE,
            Self::Unavailable { .. } => READ_LOG,
        }
    }
}
