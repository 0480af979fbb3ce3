//! What a server does now (`GET /v1/status`), as far as clients use it.

use jiff::Timestamp;
use serde::Deserialize;
use trellis_core::{WorkerStatus, plain_line};

use crate::limits::{ENTRIES, NAME, SENTENCE};
use crate::plain::plain_workers;

/// What a server does now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ServerStatus {
    /// The program's version.
    pub version: String,
    /// When its process started; another value means that it was restarted.
    pub started_at: Timestamp,
    /// The jobs that it keeps; absent while its job database does not answer.
    #[serde(default)]
    pub jobs: Option<JobCounts>,
    /// How many jobs may wait.
    pub queue_limit: u64,
    /// What happened to jobs since `started_at`.
    pub since_start: SinceStart,
    /// What makes assets, the best first.
    pub backends: Vec<BackendStatus>,
    /// The processes of the backends, in the order of their GPUs.
    pub workers: Vec<WorkerStatus>,
    /// The GPUs of its machine.
    pub gpus: Vec<GpuStatus>,
}

/// Jobs that a server keeps, of all owners, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct JobCounts {
    /// They wait.
    pub queued: u64,
    /// They are worked on.
    pub running: u64,
    /// They have a result.
    pub succeeded: u64,
    /// They have none.
    pub failed: u64,
    /// Somebody cancelled them.
    pub cancelled: u64,
}

/// What happened to jobs since a server started; these only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct SinceStart {
    /// Accepted.
    pub accepted: u64,
    /// Of these answered with an earlier job's result.
    pub cached: u64,
    /// Ended with a result.
    pub succeeded: u64,
    /// Ended without one.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
}

/// A backend and whether it can work now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
    /// `ready`, `starting` or `unavailable`.
    pub status: String,
    /// Why it cannot work.
    #[serde(default)]
    pub reason: Option<String>,
    /// What to do about it.
    #[serde(default)]
    pub fix: Option<String>,
    /// Whether its results only give an idea of what TRELLIS would make.
    pub preview: bool,
}

/// A GPU and what its driver tells of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GpuStatus {
    /// Its UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// All of its memory.
    pub memory_bytes: u64,
    /// What is in use of it, by whatever program.
    pub memory_used_bytes: u64,
    /// Share of the last moments in which it worked.
    #[serde(default)]
    pub utilisation_percent: Option<u32>,
    /// Its temperature.
    #[serde(default)]
    pub temperature_celsius: Option<u32>,
    /// The power that it draws.
    #[serde(default)]
    pub power_watts: Option<f64>,
}

/// The same with words that may be shown.
pub(crate) fn plain_status(mut status: ServerStatus) -> ServerStatus {
    status.version = plain_line(&status.version, NAME);
    status.backends.truncate(ENTRIES);
    for backend in &mut status.backends {
        backend.name = plain_line(&backend.name, NAME);
        backend.status = plain_line(&backend.status, NAME);
        for text in [&mut backend.reason, &mut backend.fix].into_iter().flatten() {
            *text = plain_line(text, SENTENCE);
        }
    }
    status.workers = plain_workers(status.workers);
    status.gpus.truncate(ENTRIES);
    for gpu in &mut status.gpus {
        gpu.uuid = plain_line(&gpu.uuid, NAME);
        gpu.name = plain_line(&gpu.name, NAME);
    }
    status
}
