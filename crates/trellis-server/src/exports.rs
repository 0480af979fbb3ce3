//! `/v1/jobs/{id}/exports`: other files from the GLB of an earlier job.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use trellis_core::{Format, Job, JobId, ParamsPatch};
use trellis_jobs::{ExportOf, Terms};

use crate::AppState;
use crate::contract::{ExportProblems, SubmitHeaders};
use crate::extract::{Caller, PathParts};
use crate::problem::Problem;
use crate::small_json::small_json;
use crate::submit::{accepted, asks_no_cache, idempotency_key};
use crate::trace::traceparent;
use crate::wait;

/// What is to be made of an earlier job's GLB.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    /// `obj`, `voxels`, `stl` or `ply`.
    format: Format,
    /// Of `voxels`: how many along the longest side, 16 to 256; absent: 64.
    voxel_resolution: Option<u32>,
    /// Of `stl`: the longest side in millimetres, 1 to 10,000; absent: 100.
    stl_size_mm: Option<f64>,
}

/// Export an earlier job
///
/// Accepts a new job that converts the GLB of a job that succeeded, needs no GPU and outlives that job. Its `source` says
/// what it is converted from. What holds for a submission holds for it: `Idempotency-Key`, the queue, the cache.
#[utoipa::path(
    post,
    path = "/jobs/{id}/exports",
    tag = "jobs",
    operation_id = "export_job",
    params(("id" = JobId, Path, description = "The earlier job"), SubmitHeaders),
    request_body = Export,
    responses(
        (status = 200, description = "The client waited (`Prefer: wait`), and the new job is finished", body = Job,
            headers(("Location" = String, description = "The new job's path"))),
        (status = 202, description = "The new job is accepted and on disk", body = Job, headers(
            ("Location" = String, description = "The new job's path"),
            ("Idempotency-Replayed" = String, description = "`true` where this is an earlier job of the same key"),
        )),
        ExportProblems,
    ),
)]
pub(crate) async fn export_job(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(job): PathParts<JobId>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let terms = Terms {
        owner: owner.clone(),
        idempotency_key: idempotency_key(headers)?,
        traceparent: traceparent(headers),
        no_cache: asks_no_cache(headers),
    };
    let seconds = wait::preferred(headers);
    let Export {
        format,
        voxel_resolution,
        stl_size_mm,
    } = small_json(request).await?;
    let mut params = ParamsPatch::default();
    if let Some(resolution) = voxel_resolution {
        params = params.with("voxel_resolution", i64::from(resolution));
    }
    if let Some(size) = stl_size_mm {
        params = params.with("stl_size_mm", size);
    }
    let mut submitted = state.jobs.export(ExportOf { job, format, params }, terms).await?;
    if let Some(seconds) = seconds {
        submitted.job = wait::wait(&state, &owner, submitted.job.id, seconds).await?;
    }
    Ok(accepted(submitted, seconds))
}
