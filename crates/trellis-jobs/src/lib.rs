//! The durable job store and queue.
//!
//! [`Jobs`] is the service that edges use. What may happen to a job is decided in one place, [`rules`], a pure
//! function. [`JobStore`] is the storage under it: leases and heartbeats, no in-memory channels, so that a clustered
//! queue can implement it as well as the embedded [`SqliteStore`]; [`conformance`] tests one. Large bytes (pictures,
//! assets) live behind [`BlobStore`], named by key; [`FolderBlobs`] keeps them in a folder. [`Janitor`] is the one
//! way out. [`Docketed`] leaves a docket beside each job's files, from which [`rescue()`] makes lost rows again;
//! [`Kinship`] says whether a database and a blob store belong together.

mod admission;
mod advice;
mod blobs;
mod cache_key;
mod clock;
#[cfg(feature = "conformance")]
#[path = "../tests/conformance/mod.rs"]
pub mod conformance;
mod disk;
mod docket;
mod docketed;
mod error;
mod export;
mod folder_blobs;
mod folder_entries;
mod folder_rescue;
mod folders;
mod follow;
mod heavy_work;
mod intake;
mod janitor;
mod job;
mod kinship;
mod leftovers;
mod lost_found;
mod moving;
mod needs;
mod no_server;
mod observed;
mod owner;
mod parts;
mod plain_file;
mod recall;
mod rescue;
mod room;
pub mod rules;
mod service;
mod spare;
mod sqlite;
mod staging;
mod store;
mod submit;
mod submit_error;
mod sweep_error;
mod thumbnail;
mod wakes;
mod webhook;
mod whole_job;

pub use blobs::{BlobError, BlobKey, BlobStore, BlobStream, LinkAs, ReadSeek, StagedBlob};
pub use cache_key::CacheKey;
pub use clock::Moment;
pub use disk::Disk;
pub use docketed::Docketed;
pub use error::{StoreError, Undecided};
pub use export::{ExportError, ExportOf};
pub use folder_blobs::FolderBlobs;
pub use follow::Follow;
pub use heavy_work::{Busy, HeavyWork, Turn};
pub use intake::{Arriving, Intake};
pub use janitor::{Janitor, Retention, Swept, Unknown};
pub use job::{
    Applied, Claim, ClaimFilter, Delivered, DeliveredStatement, Heartbeat, JobQuery, KeptLatents, Latents,
    Lease, NewJob, Outcome, Page, Recovered, RunningLimits, StoreStats, StoredJob, Submitted, Thumbnail,
    WaitingKind, WorkerName,
};
pub use kinship::{Kinship, is_elsewhere};
pub use leftovers::clear_leftovers;
pub use moving::{Moved, move_jobs};
pub use needs::{Ability, Needs};
pub use no_server::{Patience, Watch, lacking};
pub use observed::JobObserver;
pub use owner::{Owner, Rights};
pub use rescue::{Left, Rescued, RescuedJob, rescue};
pub use room::Room;
pub use service::{JobLimits, Jobs, Makers, Removed};
pub use sqlite::{OpenError, SqliteFailure, SqliteStore};
pub use staging::Staging;
pub use store::JobStore;
pub use submit::{Asked, Terms};
pub use submit_error::SubmitError;
pub use sweep_error::SweepError;
pub use thumbnail::ThumbnailError;
pub use wakes::{Changes, Seen, Wake, WakeOnDrop, Wakes};
pub use webhook::{Delivery, DeliveryId, NextDelivery, Settled, WaitingDeliveries, Webhook};
pub use whole_job::{Gives, Takes, WholeJob};
