//! The durable job store and queue.
//!
//! [`JobStore`] is the contract: leases and heartbeats, no in-memory channels, so that a clustered
//! queue can implement it as well as the embedded [`SqliteStore`]. Large bytes (pictures, assets) live
//! behind [`BlobStore`], named by key; [`FolderBlobs`] keeps them in a folder. [`Intake`] is the one way
//! in, [`Janitor`] the one way out. [`ResultCache`] keeps results for jobs that ask the same.

mod advice;
mod blobs;
mod cache;
mod folder_blobs;
mod folders;
mod intake;
mod janitor;
mod sqlite;
mod store;

pub use blobs::{BlobError, BlobKey, BlobStore, BlobStream};
pub use cache::{CacheError, CacheIndex, CacheKey, Entry, EntryId, KeptResult, ResultCache};
pub use folder_blobs::FolderBlobs;
pub use intake::{Intake, IntakeError, IntakeLimits, Submission};
pub use janitor::{Janitor, Retention, SweepError, Swept};
pub use sqlite::{OpenError, SqliteFailure, SqliteStore};
pub use store::{
    Claim, ClaimFilter, Delivered, DeliveredStatement, Heartbeat, JobQuery, JobStore, Lease, NewJob, Outcome,
    Page, Recovered, StoreError, StoreStats, Submitted, WorkerName,
};
