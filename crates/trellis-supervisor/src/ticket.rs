//! A job on its way to a worker, and what comes back.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use trellis_backend::MadeWith;
use trellis_core::{Format, JobId, Params, Progress, Timings, TraceParent};

use crate::cause::Cause;
use crate::protocol::FailedReport;

/// What a worker is to make.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) job: JobId,
    pub(crate) pictures: Vec<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) params: Params,
    pub(crate) traceparent: Option<TraceParent>,
    pub(crate) low_vram: bool,
    /// What is decoded instead of sampling.
    pub(crate) latents: Option<PathBuf>,
    pub(crate) keep_latents: bool,
    /// The mesh that is to be textured.
    pub(crate) mesh: Option<PathBuf>,
}

/// A file beside those that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Left {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
}

/// A file that a worker made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) size_bytes: u64,
}

/// What a finished job took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finished {
    pub(crate) timings: Timings,
    pub(crate) low_vram: bool,
    pub(crate) notes: Vec<String>,
    /// The worker's GPU and versions.
    pub(crate) made_with: MadeWith,
}

/// How a job ended at a worker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ended {
    Done(Finished),
    Failed(FailedReport),
    Cancelled,
    /// The worker was lost.
    Lost(Cause),
}

/// What the caller hears.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Update {
    /// A worker has the job.
    Taken,
    Progress(Progress),
    File(File),
    /// What it sampled.
    Latents(Left),
    Ended(Ended),
}

/// A job in the queue or at a worker. Its caller hears the end: whoever drops a ticket without one has
/// lost the job, and the closed channel says so.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) task: Task,
    pub(crate) updates: mpsc::UnboundedSender<Update>,
    pub(crate) cancel: CancellationToken,
}

impl Ticket {
    /// Tells the caller; it may be gone.
    pub(crate) fn tell(&self, update: Update) {
        let _ = self.updates.send(update);
    }

    /// Resolves once nobody wants the result any more.
    pub(crate) async fn unwanted(&self) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = self.updates.closed() => {}
        }
    }

    /// Whether nobody wants the result any more.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.cancel.is_cancelled() || self.updates.is_closed()
    }
}

/// Jobs that wait for a worker, first come first served.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<Mutex<mpsc::UnboundedReceiver<Ticket>>>);

/// Where jobs are put in.
pub(crate) type Entry = mpsc::UnboundedSender<Ticket>;

impl Queue {
    pub(crate) fn new() -> (Entry, Self) {
        let (entry, waiting) = mpsc::unbounded_channel();
        (entry, Self(Arc::new(Mutex::new(waiting))))
    }

    /// The next job that somebody still wants. May be dropped at any time without losing one.
    pub(crate) async fn next(&self) -> Ticket {
        let mut waiting = self.0.lock().await;
        loop {
            match waiting.recv().await {
                Some(ticket) if ticket.is_unwanted() => ticket.tell(Update::Ended(Ended::Cancelled)),
                Some(ticket) => return ticket,
                None => std::future::pending().await,
            }
        }
    }
}
