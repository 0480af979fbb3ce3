//! What all parts of a runner share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trellis_backend::{Backend, Origin, Registry};
use trellis_core::JobId;
use trellis_jobs::{Ability, BlobStore, Disk, JobStore, Room, RunningLimits, WorkerName, clear_leftovers};

use crate::suspects::Suspects;

/// How jobs are worked on.
#[derive(Debug, Clone)]
pub struct RunnerSettings {
    /// Under which name jobs are claimed: the same after a restart, so that its jobs are taken back at
    /// once, and no other process's.
    pub worker: WorkerName,
    /// For how long a job is claimed. A job of a dead server waits so long for another one.
    pub lease: Duration,
    /// How often the claim is renewed; several times in a lease.
    pub heartbeat_every: Duration,
    /// How long a job may take.
    pub job_limit: Duration,
    /// After so many lost attempts a job fails.
    pub max_attempts: u32,
    /// How long running jobs may go on after a shutdown began; then they are handed back.
    pub drain_deadline: Duration,
    /// How many jobs of an owner may run at a time; looked at before each claim.
    pub running_limits: watch::Receiver<Arc<RunningLimits>>,
    /// Whether what backends sample is kept beside their results.
    pub keep_latents: bool,
    /// A folder for the backends' files, on the disk of the blobs where possible.
    pub scratch: PathBuf,
}

/// Says what a backend here can do, with those that it hands jobs on to; asked before each claim.
pub type Abilities = Arc<dyn Fn(&dyn Backend) -> Ability + Send + Sync>;

/// The same for all jobs.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// The backends of all servers.
    pub(crate) registry: Registry,
    /// Those of this one.
    pub(crate) here: Registry,
    /// What the places of a backend can do.
    pub(crate) abilities: Abilities,
    /// Whether no job is begun for now.
    pub(crate) rests: watch::Receiver<bool>,
    /// Says what made a result.
    pub(crate) origin: Arc<Origin>,
    pub(crate) settings: RunnerSettings,
    /// Whether previews are made.
    pub(crate) previews: bool,
    /// What the server was working on when it died.
    pub(crate) suspects: Suspects,
    /// The disk of the backends' files.
    pub(crate) scratch_disk: Disk,
    /// Whether jobs wait for room on a disk.
    pub(crate) waits_for_room: AtomicBool,
    /// No new jobs from here on.
    pub(crate) closing: CancellationToken,
    /// Running jobs are handed back from here on.
    pub(crate) drained: CancellationToken,
}

impl Shared {
    /// Whether the disks have room for another job: for its result and for what its backend writes. Those that wait are not
    /// failed for the lack of it.
    pub(crate) async fn has_room(&self) -> bool {
        let has = self.blobs.room().await.is_none_or(Room::begins) && self.has_scratch().await;
        if self.waits_for_room.swap(!has, Ordering::Relaxed) == has {
            if has {
                info!("the disk has room again: jobs are begun");
            } else {
                warn!("the disk is nearly full: no job is begun until there is room");
            }
        }
        has
    }

    /// Whether the disk of the backends' files has room for those of another job.
    pub(crate) async fn has_scratch(&self) -> bool {
        self.scratch_disk.room().await.is_none_or(Room::begins)
    }

    /// Removes what lost attempts of a job left behind. What cannot be removed now is left to the janitor.
    pub(crate) async fn clear_leftovers(&self, job: JobId) {
        if let Err(error) = clear_leftovers(&*self.store, &*self.blobs, job).await {
            warn!(%job, error = &error as &dyn std::error::Error, "files of lost attempts left to the janitor");
        }
    }
}
