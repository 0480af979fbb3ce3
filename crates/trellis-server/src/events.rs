//! `GET /v1/jobs/{id}/events`: a job followed as server-sent events.

mod follow;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use trellis_core::{JobEvent, JobId};

use crate::AppState;
use crate::contract::{FollowHeaders, JobProblems};
use crate::extract::{PathParts, single_header};
use crate::problem::Problem;
use follow::{BATCH, Follow};

/// Follow a job
///
/// Server-sent events (`text/event-stream`). Each has an `id`, an event name (`state`, `progress`,
/// `artifact`) and a `JobEvent` as data. The stream begins with the job's first event, or after the
/// one that `Last-Event-ID` names, and ends after the event of a final state. Comments keep a quiet
/// stream alive. Where there is nothing left to tell, the answer is 204, on which a browser's
/// `EventSource` does not come back.
#[utoipa::path(
    get,
    path = "/jobs/{id}/events",
    tag = "jobs",
    operation_id = "job_events",
    params(
        ("id" = JobId, Path, description = "The job"),
        FollowHeaders,
    ),
    responses(
        (status = 200, description = "The events; the data of each is a `JobEvent`", content_type = "text/event-stream",
            body = String, item_schema = JobEvent),
        (status = 204, description = "The job is finished and everything was told"),
        JobProblems,
    ),
)]
pub(crate) async fn job_events(
    State(state): State<AppState>,
    PathParts(id): PathParts<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: JobId = id.parse()?;
    let after = single_header(
        &headers,
        "last-event-id",
        "the `id` of an event, a number",
        last_event_id,
    )?;
    // Before the first look, so that no change between the two is missed.
    let changes = state.store.watch();
    let over = state.store.get(id).await?.state.is_final();
    let first = state.store.events(id, after.unwrap_or(0), BATCH).await?;
    if over && first.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let heartbeat = state.limits.event_heartbeat;
    let events = Follow::new(state, id, after.unwrap_or(0), changes).beginning_with(first);
    let alive = KeepAlive::new().interval(heartbeat).text("heartbeat");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    // nginx collects answers unless told not to.
    response
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event_id(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // The database counts in 63 bits; what is beyond comes after everything.
    digits.then(|| text.parse::<u64>().map_or(MAX_SEQ, |seq| seq.min(MAX_SEQ)))
}

const MAX_SEQ: u64 = i64::MAX as u64;
