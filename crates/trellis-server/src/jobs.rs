//! `/v1/jobs`, `/v1/jobs/{id}` and `/v1/jobs/{id}/cancel`: looking at jobs, ending and forgetting them.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use trellis_core::{AssetName, Job, JobId, JobState};
use trellis_jobs::{JobQuery, Owner, Removed};

use crate::AppState;
use crate::conditions::{self, Condition};
use crate::contract::{ChangeProblems, EditProblems, JobProblems, QueryProblems};
use crate::extract::{Caller, PathParts, QueryOf};
use crate::problem::Problem;
use crate::request_error::RequestError;
use crate::small_json::small_json;
use crate::wait::{LONGEST_SECONDS, wait};

const MAX_LIMIT: u32 = 100;

/// Which jobs to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only jobs in this state.
    state: Option<JobState>,
    /// Only jobs whose name has this in it, in whatever case.
    name: Option<String>,
    /// At most so many.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: u32,
    /// Where to go on: `next_cursor` of the part before.
    #[param(value_type = Option<String>, format = Uuid)]
    cursor: Option<JobId>,
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
        (status = 200, description = "A part of the list", body = JobList),
        QueryProblems,
    ),
)]
pub(crate) async fn list_jobs(
    State(state): State<AppState>,
    Caller(owner): Caller,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Json<JobList>, Problem> {
    if !(1..=MAX_LIMIT).contains(&query.limit) {
        let reason = format!("`limit` is {}: 1 to {MAX_LIMIT} is allowed", query.limit);
        return Err(RequestError::InvalidQuery { reason }.into());
    }
    let query = JobQuery {
        state: query.state,
        name: query.name,
        limit: query.limit,
        before: query.cursor,
        ..JobQuery::default()
    };
    let page = state.jobs.list(&owner, query).await?;
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
    params(("id" = JobId, Path, description = "The job"), WaitQuery),
    responses(
        (status = 200, description = "The job", body = Job, links(
            ("artifact" = (operation_id = "get_artifact", parameters(
                ("id" = "$response.body#/id"),
                ("name" = "$response.body#/artifacts/0/name"),
            ))),
        )),
        JobProblems,
    ),
)]
pub(crate) async fn get_job(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(id): PathParts<JobId>,
    QueryOf(query): QueryOf<WaitQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if query.wait > LONGEST_SECONDS {
        let reason = format!("`wait` is {}: 0 to {LONGEST_SECONDS} is allowed", query.wait);
        return Err(RequestError::InvalidQuery { reason }.into());
    }
    let job = wait(&state, &owner, id, query.wait).await?;
    Ok(match conditions::check(&method, &headers, None)? {
        Condition::Holds => Json(job).into_response(),
        Condition::NotModified => StatusCode::NOT_MODIFIED.into_response(),
    })
}

/// For how long a client would rather wait.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitQuery {
    /// Answer once the job is finished, after so many seconds at most.
    #[serde(default)]
    #[param(minimum = 0, maximum = 600, default = 0)]
    wait: u32,
}

/// What is changed of a job.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobChange {
    /// What people are to call it. Cleaned as a file's name is: letters, digits, blanks and `-_.()`, 40 bytes at most.
    #[schema(min_length = 1)]
    name: String,
}

/// Rename a job
///
/// Whatever its state. The files that it has or will have keep the name of its first picture.
#[utoipa::path(
    patch,
    path = "/jobs/{id}",
    tag = "jobs",
    operation_id = "rename_job",
    params(("id" = JobId, Path, description = "The job")),
    request_body = JobChange,
    responses((status = 200, description = "The job", body = Job), EditProblems),
)]
pub(crate) async fn rename_job(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(id): PathParts<JobId>,
    request: Request,
) -> Result<Json<Job>, Problem> {
    let JobChange { name } = small_json(request).await?;
    let name = AssetName::of_text(&name).ok_or_else(|| RequestError::InvalidJson {
        place: "the body",
        reason: "`name` has neither letters nor digits".to_owned(),
    })?;
    Ok(Json(state.jobs.rename(&owner, id, name).await?))
}

/// Cancel a job
///
/// A queued or running job is cancelled and kept. One that has ended stays as it is, and the answer says how it ended, so
/// that a result which came at the last moment is not lost.
#[utoipa::path(
    post,
    path = "/jobs/{id}/cancel",
    tag = "jobs",
    operation_id = "cancel_job",
    params(("id" = JobId, Path, description = "The job")),
    responses((status = 200, description = "The job, which has ended", body = Job), ChangeProblems),
)]
pub(crate) async fn cancel_job(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(id): PathParts<JobId>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<Job>, Problem> {
    check_conditions(&state, &owner, id, &method, &headers).await?;
    Ok(Json(state.jobs.cancel(&owner, id).await?))
}

/// Cancel or forget a job
///
/// A queued or running job is cancelled and kept; a finished one is deleted with its files.
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
    Caller(owner): Caller,
    PathParts(id): PathParts<JobId>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_conditions(&state, &owner, id, &method, &headers).await?;
    Ok(match state.jobs.cancel_or_delete(&owner, id).await? {
        Removed::Cancelled(job) => Json(job).into_response(),
        Removed::Deleted => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Refuses a change of a job whose conditions do not hold.
async fn check_conditions(
    state: &AppState,
    owner: &Owner,
    id: JobId,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if conditions::are_there(headers) {
        // First whether there is such a job.
        state.jobs.get(owner, id).await?;
        conditions::check(method, headers, None)?;
    }
    Ok(())
}
