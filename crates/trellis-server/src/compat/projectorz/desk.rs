//! The one generation that each key has: what `/status` tells of it, and which files it left. In memory: after a
//! restart there is none, as with the server in whose place this one stands.
//!
//! StableProjectorz asks `/status` from the moment it sends a request until it has the answer, and gives up at any status
//! but `PROCESSING`. So that is the status while a request still arrives, and until its answer is handed over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use trellis_core::JobId;
use trellis_jobs::Owner;

use super::failed::Failed;

/// How long, and how often, a request is waited for that was sent together with the question about it.
const MOMENT: Duration = Duration::from_millis(20);
const MOMENTS: u32 = 10;

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A model, at once.
    Model,
    /// The preview of one.
    Preview,
    /// The model after its preview.
    Resumed,
}

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Stand {
    /// It is worked on.
    Processing,
    /// The preview is made; the model may be asked for.
    PreviewReady,
    /// The model is made.
    Complete,
    /// It failed, or there was none yet.
    Failed,
}

/// What is told of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    pub(super) status: Stand,
    pub(super) progress: u8,
    pub(super) message: String,
}

impl Told {
    pub(super) fn new(status: Stand, progress: u8, message: &str) -> Self {
        let message = message.to_owned();
        Self {
            status,
            progress,
            message,
        }
    }
}

/// What there is to download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// Nothing.
    None,
    /// The videos of this job.
    Preview(JobId),
    /// The model of this job.
    Model(JobId),
}

/// The generation of a key.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) told: Told,
    pub(super) busy: bool,
    /// The job that it is, once it is one.
    pub(super) job: Option<(JobId, Kind)>,
    pub(super) files: Files,
    interrupted: CancellationToken,
    /// Requests that still arrive, and what breaks them off.
    arriving: usize,
    unwanted: CancellationToken,
}

impl Default for Current {
    fn default() -> Self {
        Self {
            told: Told::new(Stand::Failed, 0, ""),
            busy: false,
            job: None,
            files: Files::None,
            interrupted: CancellationToken::new(),
            arriving: 0,
            unwanted: CancellationToken::new(),
        }
    }
}

/// The generations of all keys by their names: one each, so that there are never more than keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Desk(Arc<Mutex<HashMap<String, Current>>>);

impl Desk {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Current>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, owner: &Owner) -> Current {
        let mut current = self.all().get(owner.as_str()).cloned().unwrap_or_default();
        if current.arriving > 0 && !current.busy {
            current.told = Told::new(Stand::Processing, 0, "");
        }
        current
    }

    /// The same for one who asks beside a request: where nothing is under way, the request may come within a moment.
    pub(super) async fn of_next(&self, owner: &Owner) -> Current {
        for _ in 0..MOMENTS {
            let current = self.of(owner);
            if current.told.status == Stand::Processing {
                return current;
            }
            tokio::time::sleep(MOMENT).await;
        }
        self.of(owner)
    }

    /// A request for a generation begins to arrive; refused where one is under way. Any number may arrive together, so
    /// that a slow one keeps nobody out: the first that is whole begins.
    pub(super) fn arrive(&self, owner: &Owner) -> Result<Arrival, Failed> {
        let mut all = self.all();
        let current = all.entry(owner.as_str().to_owned()).or_default();
        if current.busy {
            return Err(busy());
        }
        current.arriving += 1;
        Ok(Arrival {
            unwanted: current.unwanted.clone(),
            desk: self.clone(),
            owner: owner.as_str().to_owned(),
        })
    }

    /// Begins a generation, where none is under way. What the one before left stays until this one ends.
    pub(super) fn begin(&self, owner: &Owner) -> Result<Turn, Failed> {
        let mut all = self.all();
        let current = all.entry(owner.as_str().to_owned()).or_default();
        if current.busy {
            return Err(busy());
        }
        current.busy = true;
        current.told = Told::new(Stand::Processing, 0, "");
        current.job = None;
        current.interrupted = CancellationToken::new();
        Ok(Turn {
            interrupted: current.interrupted.clone(),
            desk: self.clone(),
            owner: owner.as_str().to_owned(),
        })
    }

    /// A generation was asked for that cannot begin: it is told as one that failed.
    pub(super) fn refused(&self, owner: &Owner, failed: Failed) -> Failed {
        match self.begin(owner) {
            Ok(turn) => turn.fail(failed),
            Err(busy) => busy,
        }
    }

    /// Whether there was anything to interrupt.
    pub(super) fn interrupt(&self, owner: &Owner) -> bool {
        let mut all = self.all();
        let Some(current) = all.get_mut(owner.as_str()) else {
            return false;
        };
        if current.busy {
            current.interrupted.cancel();
        }
        let arriving = current.arriving > 0;
        if arriving {
            std::mem::take(&mut current.unwanted).cancel();
        }
        current.busy || arriving
    }
}

fn busy() -> Failed {
    Failed::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Server is busy with another generation",
    )
}

/// A request that arrives.
#[must_use]
pub(super) struct Arrival {
    /// Cancelled when its client wants it no longer.
    pub(super) unwanted: CancellationToken,
    desk: Desk,
    owner: String,
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some(current) = self.desk.all().get_mut(&self.owner) {
            current.arriving -= 1;
        }
    }
}

/// A generation that is under way; dropped without an end, it has failed.
#[must_use]
pub(super) struct Turn {
    pub(super) interrupted: CancellationToken,
    desk: Desk,
    owner: String,
}

impl Turn {
    fn change(&self, change: impl FnOnce(&mut Current)) {
        change(self.desk.all().entry(self.owner.clone()).or_default());
    }

    pub(super) fn is(&self, job: JobId, kind: Kind) {
        self.change(|current| current.job = Some((job, kind)));
    }

    pub(super) fn end(self, told: Told, files: Files) -> Ended {
        Ended {
            turn: self,
            told,
            files,
        }
    }

    /// It did not begin; what another one left stays.
    pub(super) fn refuse(self, failed: Failed) -> Failed {
        self.change(|current| current.told = Told::new(Stand::Failed, 0, &failed.message()));
        failed
    }

    /// Nothing is left to download: a model of another generation would be taken for this one's.
    pub(super) fn fail(self, failed: Failed) -> Failed {
        self.change(|current| {
            current.told = Told::new(Stand::Failed, 0, &failed.message());
            current.files = Files::None;
        });
        failed
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.change(|current| {
            current.busy = false;
            if current.told.status == Stand::Processing {
                current.told = Told::new(Stand::Failed, 0, "the server aborted the generation");
            }
        });
    }
}

/// A generation that has ended well: `/status` says so when this is dropped, which is when the answer was handed over or
/// its client has hung up.
#[must_use]
pub(super) struct Ended {
    turn: Turn,
    pub(super) told: Told,
    files: Files,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.turn.change(|current| {
            current.told.clone_from(&self.told);
            current.files = self.files;
        });
    }
}
