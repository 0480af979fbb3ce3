//! `/v1/jobs` and `/v1/jobs/{id}`: looking at jobs, ending and forgetting them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;
use trellis_core::{Job, JobId, JobState};
use trellis_jobs::JobQuery;

use crate::AppState;
use crate::contract::{ChangeProblems, JobProblems, QueryProblems};
use crate::extract::{PathParts, QueryOf};
use crate::problem::Problem;
use crate::request_error::RequestError;

const MAX_LIMIT: u32 = 100;

/// Which jobs to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only jobs in this state.
    state: Option<JobState>,
    /// At most so many.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: u32,
    /// Where to go on: `next_cursor` of the part before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

fn default_limit() -> u32 {
    20
}

/// A part of the list of jobs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobList {
    /// The jobs, newest first.
    jobs: Vec<Job>,
    /// The `cursor` of the next part, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<JobId>,
}

/// List jobs
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/jobs",
    tag = "jobs",
    operation_id = "list_jobs",
    params(ListQuery),
    responses(
        (status = 200, description = "A part of the list", body = JobList,
            links(("next" = (operation_id = "list_jobs", parameters(("cursor" = "$response.body#/next_cursor")))))),
        QueryProblems,
    ),
)]
pub(crate) async fn list_jobs(
    State(state): State<AppState>,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Json<JobList>, Problem> {
    if !(1..=MAX_LIMIT).contains(&query.limit) {
        let reason = format!("`limit` is {}: 1 to {MAX_LIMIT} is allowed", query.limit);
        return Err(RequestError::InvalidQuery { reason }.into());
    }
    let before = query.cursor.as_deref().map(str::parse::<JobId>).transpose();
    let before = before.map_err(|error| RequestError::InvalidQuery {
        reason: format!("`cursor`: {error}"),
    })?;
    let query = JobQuery {
        state: query.state,
        limit: query.limit,
        before,
    };
    let page = state.store.list(query).await?;
    Ok(Json(JobList {
        jobs: page.jobs,
        next_cursor: page.next,
    }))
}

/// Look at a job
#[utoipa::path(
    get,
    path = "/jobs/{id}",
    tag = "jobs",
    operation_id = "get_job",
    params(("id" = JobId, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job), JobProblems),
)]
pub(crate) async fn get_job(
    State(state): State<AppState>,
    PathParts(id): PathParts<String>,
) -> Result<Json<Job>, Problem> {
    Ok(Json(state.store.get(id.parse()?).await?))
}

/// Cancel or forget a job
///
/// A queued or running job is cancelled and kept; a finished one is deleted with its files. A job that
/// finishes while it is being cancelled is neither: the answer is 409 and the result stays.
#[utoipa::path(
    delete,
    path = "/jobs/{id}",
    tag = "jobs",
    operation_id = "delete_job",
    params(("id" = JobId, Path, description = "The job")),
    responses(
        (status = 200, description = "The job was live and is cancelled", body = Job),
        (status = 204, description = "The job was finished and is deleted"),
        ChangeProblems,
    ),
)]
pub(crate) async fn delete_job(
    State(state): State<AppState>,
    PathParts(id): PathParts<String>,
) -> Result<Response, Problem> {
    let id: JobId = id.parse()?;
    if !state.store.get(id).await?.state.is_final() {
        return Ok(Json(state.store.cancel(id, Timestamp::now()).await?).into_response());
    }
    state.store.delete(id).await?;
    // The row is gone, so the job is; files left now are orphans, which the janitor removes.
    if let Err(error) = state.blobs.delete_job(id).await {
        warn!(job = %id, error = &error as &dyn std::error::Error, "files of a deleted job left to the janitor");
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
