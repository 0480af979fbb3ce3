//! Carries a backend's reports to the store without ever making the backend wait.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;
use trellis_backend::Reporter;
use trellis_core::Progress;
use trellis_jobs::{Lease, StoreError};

use crate::shared::Shared;

/// Progress is written this often at most; in between the latest wins. Each is a flush to disk.
const GAP: Duration = Duration::from_millis(100);

/// The backend's end.
pub(crate) struct Reports {
    progress: watch::Sender<Option<Progress>>,
    /// Ends the carrier's pause when the backend is done.
    _ended: DropGuard,
}

impl Reporter for Reports {
    fn progress(&self, progress: Progress) {
        self.progress.send_replace(Some(progress));
    }
}

/// The store's end.
pub(crate) struct Carrier {
    shared: Arc<Shared>,
    lease: Lease,
    progress: watch::Receiver<Option<Progress>>,
    ended: CancellationToken,
}

/// Both ends for one attempt.
pub(crate) fn reports(shared: Arc<Shared>, lease: Lease) -> (Reports, Carrier) {
    let (progress, latest) = watch::channel(None);
    let ended = CancellationToken::new();
    let carrier = Carrier {
        shared,
        lease,
        progress: latest,
        ended: ended.clone(),
    };
    (
        Reports {
            progress,
            _ended: ended.drop_guard(),
        },
        carrier,
    )
}

impl Carrier {
    /// Carries until the backend's end is dropped and everything has arrived.
    pub(crate) async fn run(mut self) {
        while self.progress.changed().await.is_ok() {
            let latest = *self.progress.borrow_and_update();
            let Some(latest) = latest else { continue };
            let store = &self.shared.store;
            match store.progress(&self.lease, Timestamp::now(), latest).await {
                Ok(()) => {}
                Err(StoreError::LeaseLost { .. }) => return,
                // The next report says more than this one did.
                Err(error) => debug!(error = &error as &dyn std::error::Error, "progress not recorded"),
            }
            tokio::select! {
                () = tokio::time::sleep(GAP) => {}
                () = self.ended.cancelled() => {}
            }
        }
    }
}
