//! Starts the slots and waits for them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;
use trellis_backend::{Backend, Origin, Registry};
use trellis_jobs::{BlobStore, JobStore, WorkerName};

use crate::previews::Previews;
use crate::slot::Slot;
use crate::{recovery, scratch};

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
    /// A folder for the backends' files, on the disk of the blobs where possible.
    pub scratch: PathBuf,
}

/// What all parts of a runner share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) registry: Registry,
    /// Says what made a result.
    pub(crate) origin: Arc<Origin>,
    pub(crate) settings: RunnerSettings,
    /// No new jobs from here on.
    pub(crate) closing: CancellationToken,
    /// Running jobs are handed back from here on.
    pub(crate) drained: CancellationToken,
}

/// Works on the jobs of a store.
pub struct Runner {
    store: Arc<dyn JobStore>,
    blobs: Arc<dyn BlobStore>,
    registry: Registry,
    origin: Arc<Origin>,
    settings: RunnerSettings,
    previews: Option<Arc<dyn Backend>>,
}

impl Runner {
    /// A runner. It does nothing until it is run.
    pub fn new(
        store: Arc<dyn JobStore>,
        blobs: Arc<dyn BlobStore>,
        registry: Registry,
        origin: Arc<Origin>,
        settings: RunnerSettings,
    ) -> Self {
        Self {
            store,
            blobs,
            registry,
            origin,
            settings,
            previews: None,
        }
    }

    /// Has this backend make a preview of every job that waits for a real one or is worked on by it.
    #[must_use]
    pub fn with_previews(self, maker: Arc<dyn Backend>) -> Self {
        Self {
            previews: Some(maker),
            ..self
        }
    }

    /// Works until `shutdown`, then lets running jobs finish until the deadline, hands the rest back and
    /// returns.
    pub async fn run(self, shutdown: CancellationToken) {
        scratch::sweep(&self.settings.scratch).await;
        let shared = Arc::new(Shared {
            store: self.store,
            blobs: self.blobs,
            registry: self.registry,
            origin: self.origin,
            settings: self.settings,
            closing: shutdown,
            drained: CancellationToken::new(),
        });
        // Before the first claim: this worker holds nothing yet, whatever the store says.
        let forgotten = recovery::take_back_own(&shared).await;
        let recovering = AbortOnDropHandle::new(tokio::spawn(recovery::run(shared.clone(), forgotten)));
        let mut slots = JoinSet::new();
        if let Some(maker) = self.previews {
            slots.spawn(Previews::new(shared.clone(), maker).run());
        }
        for backend in shared.registry.all() {
            let capabilities = backend.capabilities();
            info!(
                backend = capabilities.name,
                slots = capabilities.slots,
                "backend takes jobs"
            );
            for _ in 0..capabilities.slots.max(1) {
                slots.spawn(Slot::new(shared.clone(), backend.clone()).run());
            }
        }
        shared.closing.cancelled().await;
        let deadline = tokio::time::sleep(shared.settings.drain_deadline);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                ended = slots.join_next() => if ended.is_none() { break },
                () = &mut deadline, if !shared.drained.is_cancelled() => shared.drained.cancel(),
            }
        }
        // It stops by itself at `closing`.
        let _ = recovering.await;
    }
}
