//! `/v1/workers`: the processes that backends keep, for operators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use trellis_backend::Registry;
use trellis_core::{WorkerCommand, WorkerStatus};

use crate::AppState;
use crate::contract::{AccessProblems, WorkerProblems};
use crate::extract::PathParts;
use crate::request_error::RequestError;

/// The workers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct WorkerList {
    /// In the order of their GPUs.
    workers: Vec<WorkerStatus>,
}

/// List workers
///
/// The embedded backend works within the server and has none.
#[utoipa::path(
    get,
    path = "/workers",
    tag = "server",
    operation_id = "list_workers",
    responses(
        (status = 200, description = "Every worker with its state and counters", body = WorkerList),
        AccessProblems,
    ),
)]
pub(crate) async fn list_workers(State(state): State<AppState>) -> Json<WorkerList> {
    Json(WorkerList {
        workers: workers(&state.registry),
    })
}

/// Every backend's workers, in the order of their GPUs.
pub(crate) fn workers(registry: &Registry) -> Vec<WorkerStatus> {
    let backends = registry.all().iter();
    backends.flat_map(|backend| backend.workers()).collect()
}

/// Restart or drain a worker
///
/// Its job ends first. `restart` then replaces its process, and starts one where it was stopped; `drain` stops it.
#[utoipa::path(
    post,
    path = "/workers/{name}/{command}",
    tag = "server",
    operation_id = "command_worker",
    params(
        ("name" = String, Path, description = "A worker's name"),
        ("command" = inline(WorkerCommand), Path, description = "What it is to do"),
    ),
    responses((status = 202, description = "It will, after its job"), WorkerProblems),
)]
pub(crate) async fn command_worker(
    State(state): State<AppState>,
    PathParts((name, command)): PathParts<(String, WorkerCommand)>,
) -> Result<StatusCode, RequestError> {
    let backends = state.registry.all();
    if backends.iter().any(|backend| backend.command(&name, command)) {
        return Ok(StatusCode::ACCEPTED);
    }
    Err(RequestError::WorkerNotFound {
        name: name.chars().take(64).collect(),
    })
}
