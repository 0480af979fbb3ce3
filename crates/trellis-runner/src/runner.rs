//! Starts the slots and waits for them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;
use trellis_backend::{Backend, ExportBackend, Origin, Registry};
use trellis_jobs::{Ability, BlobStore, Disk, JobStore};

use crate::previews::Previews;
use crate::shared::{Abilities, RunnerSettings, Shared};
use crate::slot::Slot;
use crate::suspects::Suspects;
use crate::{recovery, scratch};

/// Works on the jobs of a store.
pub struct Runner {
    store: Arc<dyn JobStore>,
    blobs: Arc<dyn BlobStore>,
    registry: Registry,
    origin: Arc<Origin>,
    settings: RunnerSettings,
    previews: Option<Arc<dyn Backend>>,
    here: Option<Registry>,
    rests: watch::Receiver<bool>,
    abilities: Abilities,
    scratch_disk: Disk,
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
            scratch_disk: Disk::of(settings.scratch.clone()),
            store,
            blobs,
            registry,
            origin,
            settings,
            previews: None,
            here: None,
            rests: watch::channel(false).1,
            abilities: Arc::new(|_| Ability::default()),
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

    /// Has jobs worked on by these backends alone, where the others are those of other servers.
    #[must_use]
    pub fn with_backends_here(self, here: Registry) -> Self {
        Self {
            here: Some(here),
            ..self
        }
    }

    /// Begins no job while this says so.
    #[must_use]
    pub fn with_rests(self, rests: watch::Receiver<bool>) -> Self {
        Self { rests, ..self }
    }

    /// Claims only what these can do.
    #[must_use]
    pub fn with_abilities(self, abilities: Abilities) -> Self {
        Self { abilities, ..self }
    }

    /// Begins no job while this disk, in the place of that of the scratch folder, has no room.
    #[must_use]
    pub fn with_scratch_disk(self, scratch_disk: Disk) -> Self {
        Self { scratch_disk, ..self }
    }

    /// Works until `shutdown`, then lets running jobs finish until the deadline, hands the rest back and
    /// returns.
    pub async fn run(self, shutdown: CancellationToken) {
        scratch::sweep(&self.settings.scratch).await;
        let shared = Arc::new(Shared {
            store: self.store,
            blobs: self.blobs,
            here: self.here.unwrap_or_else(|| self.registry.clone()),
            rests: self.rests,
            abilities: self.abilities,
            scratch_disk: self.scratch_disk,
            registry: self.registry,
            origin: self.origin,
            settings: self.settings,
            previews: self.previews.is_some(),
            suspects: Suspects::default(),
            waits_for_room: AtomicBool::new(false),
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
        let exports: Arc<dyn Backend> = Arc::new(ExportBackend::default());
        for backend in shared.here.all().iter().chain([&exports]) {
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
