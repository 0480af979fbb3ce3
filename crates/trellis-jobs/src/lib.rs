//! The durable job store and queue.
//!
//! [`JobStore`] is the contract: leases and heartbeats, no in-memory channels, so that a clustered
//! queue can implement it as well as the embedded SQLite one. Large bytes (pictures, assets) live
//! behind [`BlobStore`], named by key.

mod blobs;
mod store;

pub use blobs::{BlobError, BlobKey, BlobStore};
pub use store::{
    Claim, ClaimFilter, Delivered, Heartbeat, JobQuery, JobStore, Lease, NewJob, Outcome, Page, Recovered,
    StoreError, StoreStats, Submitted, WorkerName,
};
