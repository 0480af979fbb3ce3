//! `/v1/jobs/{id}/exports`: other files of an earlier job, from its GLB or from what was sampled for it.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use trellis_core::{Format, Job, JobId, ParamsPatch, Priority, TextureFormat};
use trellis_jobs::{ExportOf, Terms};

use crate::AppState;
use crate::contract::{ExportProblems, SubmitHeaders};
use crate::extract::{Caller, PathParts};
use crate::problem::Problem;
use crate::small_json::small_json;
use crate::submit::{accepted, asks_no_cache, idempotency_key};
use crate::trace::traceparent;
use crate::wait;

/// What is to be made of an earlier job. One format of `obj`, `voxels`, `stl` and `ply` is converted from its GLB; anything
/// else, and whatever names a texture or simplification, is decoded from what was sampled for it, by TRELLIS.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    /// What is to be made; absent, and without `formats`: `glb`.
    format: Option<Format>,
    /// Several formats, in the place of `format`.
    #[serde(default)]
    formats: Vec<Format>,
    /// Side of the texture in pixels: 512, 1024, 1536 or 2048, of `trellis2-4b` 1024, 2048, 3072 or 4096; absent: as the
    /// earlier job has it.
    texture_size: Option<u32>,
    /// Of `trellis2-4b`: how the GLB holds its textures; absent: as the earlier job has it.
    texture_format: Option<TextureFormat>,
    /// Of TRELLIS-image-large: share of the triangles to remove, 0 to 0.98; absent: as the earlier job has it.
    mesh_simplify: Option<f64>,
    /// Of `trellis2-4b`: most triangles, 100,000 to 1,000,000; absent: as the earlier job has it.
    decimation_target: Option<u32>,
    /// Of `trellis2-4b`: whether the surface is rebuilt before its triangles are reduced; absent: as the earlier job has it.
    remesh: Option<bool>,
    /// Whether the mesh gets a texture; absent: as the earlier job has it.
    texture: Option<bool>,
    /// Of `voxels`: how many along the longest side, 16 to 256; absent: 64.
    voxel_resolution: Option<u32>,
    /// Of `stl`: the longest side in millimetres, 1 to 10,000; absent: 100.
    stl_size_mm: Option<f64>,
    /// Priority among the jobs of the same API key; absent: `normal`, whatever the earlier job had.
    priority: Option<Priority>,
}

/// Export an earlier job
///
/// Accepts a new job that makes other files of a job that succeeded and outlives that job. Its `source` says what it is made
/// from: the GLB, which needs no GPU, or what was sampled, which TRELLIS decodes without sampling again while `latents` of
/// the earlier job says that it is kept. What holds for a submission holds for it: `Idempotency-Key`, the queue, the cache.
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
        mut formats,
        texture_size,
        texture_format,
        mesh_simplify,
        decimation_target,
        remesh,
        texture,
        voxel_resolution,
        stl_size_mm,
        priority,
    } = small_json(request).await?;
    formats.splice(..0, format);
    let mut params = ParamsPatch::default();
    if let Some(size) = texture_size {
        params = params.with("texture_size", i64::from(size));
    }
    if let Some(format) = texture_format {
        params = params.with("texture_format", format);
    }
    if let Some(share) = mesh_simplify {
        params = params.with("mesh_simplify", share);
    }
    if let Some(triangles) = decimation_target {
        params = params.with("decimation_target", i64::from(triangles));
    }
    if let Some(remesh) = remesh {
        params = params.with("remesh", remesh);
    }
    if let Some(texture) = texture {
        params = params.with("texture", texture);
    }
    if let Some(resolution) = voxel_resolution {
        params = params.with("voxel_resolution", i64::from(resolution));
    }
    if let Some(size) = stl_size_mm {
        params = params.with("stl_size_mm", size);
    }
    let wish = ExportOf {
        job,
        formats,
        params,
        priority: priority.unwrap_or_default(),
    };
    let mut submitted = state.jobs.export(wish, terms).await?;
    if let Some(seconds) = seconds {
        submitted.job = wait::wait(&state, &owner, submitted.job.id, seconds).await?;
    }
    Ok(accepted(submitted, seconds))
}
