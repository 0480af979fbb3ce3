//! A job with all that a store keeps of it, and the contracts of stores that hand it over and take it.

use crate::{JobStore, StoreError, StoredJob};

/// A job with all that a store keeps of it but its events.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeJob {
    /// The job.
    pub stored: StoredJob,
    /// The client's `Idempotency-Key` with a digest of the request.
    pub idempotency: Option<(String, String)>,
    /// How many of its attempts count against the limit.
    pub charged: u32,
    /// What it needs of whoever works on it, as [`crate::Needs`] writes it.
    pub needs: String,
}

/// A store that jobs can be moved out of.
#[async_trait::async_trait]
pub trait Gives: JobStore {
    /// Jobs in the order of their submission with all that is kept of them, at most `limit` after that number.
    async fn wholes(&self, after: i64, limit: u32) -> Result<Vec<(i64, WholeJob)>, StoreError>;
}

/// A store that jobs can be moved into.
#[async_trait::async_trait]
pub trait Takes: JobStore {
    /// Writes a job as it was, after all that are there, unless there is one of its name: `false`. An idempotency key
    /// that answers with another job goes on doing so.
    async fn take(&self, job: &WholeJob) -> Result<bool, StoreError>;
}
