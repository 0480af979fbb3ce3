//! `/v1/status`: in one answer what a person who watches the server wants to see (`trellis top`, the page).
//!
//! It counts the jobs of all owners and shows none of them. Not here: figures for a monitoring system (`metrics.rs`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use tracing::warn;
use trellis_core::{Gpu, WorkerStatus};
use trellis_jobs::StoreStats;

use crate::AppState;
use crate::contract::AccessProblems;
use crate::metrics::SinceStart;
use crate::server_facts::{BackendHealth, health};
use crate::workers::workers;

/// What the server does now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Status {
    /// The program's version.
    version: String,
    /// When this process started; another value means that the server was restarted.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// The jobs that are kept, of all owners, by state; absent while the job database does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<JobCounts>,
    /// How many jobs may wait.
    queue_limit: u64,
    /// What happened to jobs since `started_at`; these only grow.
    since_start: SinceStart,
    /// What makes assets, the best first.
    backends: Vec<BackendNow>,
    /// The processes of the backends, in the order of their GPUs.
    workers: Vec<WorkerStatus>,
    /// The GPUs of this machine; none where there is no driver.
    gpus: Vec<GpuNow>,
}

/// Jobs that are kept, by state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobCounts {
    /// They wait.
    queued: u64,
    /// They are worked on.
    running: u64,
    /// They have a result.
    succeeded: u64,
    /// They have none.
    failed: u64,
    /// Somebody cancelled them.
    cancelled: u64,
}

/// A backend and whether it can work now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct BackendNow {
    #[serde(flatten)]
    health: BackendHealth,
    /// Whether its results only give an idea of what TRELLIS would make.
    preview: bool,
}

/// A GPU and what its driver tells of it now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct GpuNow {
    /// Its UUID.
    uuid: String,
    /// Its name.
    name: String,
    /// All of its memory.
    memory_bytes: u64,
    /// What is in use of it, by whatever program.
    memory_used_bytes: u64,
    /// Share of the last moments in which it worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    utilisation_percent: Option<u32>,
    /// Its temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature_celsius: Option<u32>,
    /// The power that it draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    power_watts: Option<f64>,
}

/// See what the server does
///
/// For people who watch: poll it about once a second. It counts the jobs of all owners and shows none.
#[utoipa::path(
    get,
    path = "/status",
    tag = "server",
    operation_id = "status",
    responses(
        (status = 200, description = "Jobs by state, backends, workers, GPUs", body = Status),
        AccessProblems,
    ),
)]
pub(crate) async fn status(State(state): State<AppState>) -> Json<Status> {
    let jobs = state.jobs.stats().await;
    let jobs = jobs.inspect_err(|error| {
        warn!(error = error as &dyn std::error::Error, "jobs cannot be counted");
    });
    let ask = Arc::clone(&state.gpus);
    // The driver takes some milliseconds.
    let gpus = tokio::task::spawn_blocking(move || ask())
        .await
        .unwrap_or_default();
    let backends = state.registry.all().iter().map(|backend| BackendNow {
        health: health(backend.as_ref()),
        preview: backend.capabilities().preview,
    });
    Json(Status {
        version: state.version.clone(),
        started_at: state.started_at(),
        jobs: jobs.ok().map(JobCounts::from),
        queue_limit: state.jobs.limits.queue_limit,
        since_start: state.metrics.since_start(),
        backends: backends.collect(),
        workers: workers(&state.registry),
        gpus: gpus.into_iter().map(GpuNow::from).collect(),
    })
}

impl From<StoreStats> for JobCounts {
    fn from(stats: StoreStats) -> Self {
        let StoreStats {
            queued,
            running,
            succeeded,
            failed,
            cancelled,
        } = stats;
        Self {
            queued,
            running,
            succeeded,
            failed,
            cancelled,
        }
    }
}

impl From<Gpu> for GpuNow {
    fn from(gpu: Gpu) -> Self {
        Self {
            memory_used_bytes: gpu.memory_bytes.saturating_sub(gpu.free_bytes),
            uuid: gpu.uuid,
            name: gpu.name,
            memory_bytes: gpu.memory_bytes,
            utilisation_percent: gpu.utilisation,
            temperature_celsius: gpu.temperature,
            power_watts: gpu
                .power_milliwatts
                .map(|milliwatts| f64::from(milliwatts) / 1000.0),
        }
    }
}
