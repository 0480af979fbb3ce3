//! Carries a backend's reports to the store without ever making the backend wait.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};
use trellis_backend::{Made, Reporter};
use trellis_core::Progress;
use trellis_jobs::{Lease, StoreError};

use crate::runner::Shared;
use crate::upload::Place;

/// Progress is written this often at most; in between the latest wins. Each is a flush to disk.
const GAP: Duration = Duration::from_millis(100);
/// Previews waiting at a time; a job makes one or two.
const PREVIEWS: usize = 4;

/// The backend's end.
pub(crate) struct Reports {
    progress: watch::Sender<Option<Progress>>,
    previews: mpsc::Sender<Made>,
    /// Ends the carrier's pause when the backend is done.
    _ended: DropGuard,
}

impl Reporter for Reports {
    fn progress(&self, progress: Progress) {
        self.progress.send_replace(Some(progress));
    }

    fn preview(&self, file: Made) {
        if self.previews.try_send(file).is_err() {
            warn!("preview dropped: earlier ones are not stored yet");
        }
    }
}

/// The store's end.
pub(crate) struct Carrier {
    shared: Arc<Shared>,
    lease: Lease,
    scratch: PathBuf,
    progress: watch::Receiver<Option<Progress>>,
    previews: mpsc::Receiver<Made>,
    ended: CancellationToken,
}

/// Both ends for one attempt.
pub(crate) fn reports(shared: Arc<Shared>, lease: Lease, scratch: PathBuf) -> (Reports, Carrier) {
    let (progress, latest) = watch::channel(None);
    let (previews, waiting) = mpsc::channel(PREVIEWS);
    let ended = CancellationToken::new();
    let carrier = Carrier {
        shared,
        lease,
        scratch,
        progress: latest,
        previews: waiting,
        ended: ended.clone(),
    };
    (
        Reports {
            progress,
            previews,
            _ended: ended.drop_guard(),
        },
        carrier,
    )
}

impl Carrier {
    /// Carries until the backend's end is dropped and everything has arrived.
    pub(crate) async fn run(self) {
        let Self {
            shared,
            lease,
            scratch,
            mut progress,
            mut previews,
            ended,
        } = self;
        let carry_progress = async {
            while progress.changed().await.is_ok() {
                let latest = *progress.borrow_and_update();
                let Some(latest) = latest else { continue };
                match shared.store.progress(&lease, Timestamp::now(), latest).await {
                    Ok(()) => {}
                    Err(StoreError::LeaseLost { .. }) => return,
                    // The next report says more than this one did.
                    Err(error) => debug!(error = &error as &dyn std::error::Error, "progress not recorded"),
                }
                tokio::select! {
                    () = tokio::time::sleep(GAP) => {}
                    () = ended.cancelled() => {}
                }
            }
        };
        let carry_previews = async {
            while let Some(made) = previews.recv().await {
                let place = Place {
                    blobs: shared.blobs.as_ref(),
                    lease: &lease,
                    scratch: &scratch,
                };
                match place.preview(made).await {
                    Ok(file) => {
                        let delivered = shared.store.deliver(&lease, Timestamp::now(), file).await;
                        if let Err(error) = delivered {
                            debug!(error = &error as &dyn std::error::Error, "preview not listed");
                        }
                    }
                    Err(failure) => warn!(%failure, "preview not stored"),
                }
            }
        };
        tokio::join!(carry_progress, carry_previews);
    }
}
