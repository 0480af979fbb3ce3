//! The durable job store and queue.
//!
//! [`Jobs`] is the service that edges use. What may happen to a job is decided in one place, [`rules`], a pure
//! function. [`JobStore`] is the storage under it: leases and heartbeats, no in-memory channels, so that a clustered
//! queue can implement it as well as the embedded [`SqliteStore`]; [`conformance`] tests one. Large bytes (pictures,
//! assets) live behind [`BlobStore`], named by key; [`FolderBlobs`] keeps them in a folder. [`Janitor`] is the one
//! way out.

mod admission;
mod advice;
mod blobs;
mod cache_key;
#[cfg(feature = "conformance")]
#[path = "../tests/conformance/mod.rs"]
pub mod conformance;
mod error;
mod folder_blobs;
mod folders;
mod follow;
mod heavy_work;
mod intake;
mod janitor;
mod job;
mod leftovers;
mod owner;
mod recall;
mod room;
pub mod rules;
mod service;
mod sqlite;
mod staging;
mod store;
mod submit;
mod submit_error;
mod sweep_error;
mod wakes;

pub use blobs::{BlobError, BlobKey, BlobStore, BlobStream, ReadSeek, StagedBlob};
pub use cache_key::CacheKey;
pub use error::StoreError;
pub use folder_blobs::FolderBlobs;
pub use follow::Follow;
pub use heavy_work::{Busy, HeavyWork, Turn};
pub use intake::{Arriving, Intake};
pub use janitor::{Janitor, Retention, Swept};
pub use job::{
    Applied, Claim, ClaimFilter, Delivered, DeliveredStatement, Heartbeat, JobQuery, Lease, NewJob, Outcome,
    Page, Recovered, StoreStats, StoredJob, Submitted, WorkerName,
};
pub use leftovers::clear_leftovers;
pub use owner::Owner;
pub use room::Room;
pub use service::{JobLimits, Jobs, Makers, Removed};
pub use sqlite::{OpenError, SqliteFailure, SqliteStore};
pub use staging::Staging;
pub use store::JobStore;
pub use submit::{Asked, Terms};
pub use submit_error::SubmitError;
pub use sweep_error::SweepError;
pub use wakes::{Changes, Seen, Wake, WakeOnDrop, Wakes};
