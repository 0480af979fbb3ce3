//! `GET /v1/jobs/{id}/events`: a job followed as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use trellis_core::{EventKind, JobEvent, JobId};

use crate::AppState;
use crate::contract::{FollowHeaders, JobProblems};
use crate::extract::{Caller, PathParts, single_header};
use crate::problem::Problem;

/// How long a client waits before it connects again after the stream broke.
const RECONNECT: Duration = Duration::from_secs(2);

/// One event as it is streamed.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the lines of an event in the contract")]
pub(crate) struct FollowedEvent {
    /// The `seq` of the event, to resume after.
    #[schema(pattern = "^[0-9]+$")]
    id: String,
    /// The `type` of the event.
    #[schema(pattern = "^(state|progress|artifact|renamed)$")]
    event: String,
    /// A `JobEvent` as JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Follow a job
///
/// Server-sent events (`text/event-stream`). Each has an `id`, an event name (`state`, `progress`,
/// `artifact`, `renamed`) and a `JobEvent` as data. The stream begins with the job's first event, or after the
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
        (status = 200, description = "The events", content_type = "text/event-stream",
            item_schema = FollowedEvent),
        (status = 204, description = "The job is finished and everything was told"),
        JobProblems,
    ),
)]
pub(crate) async fn job_events(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(id): PathParts<JobId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = single_header(
        &headers,
        "last-event-id",
        "the `id` of an event, a number",
        last_event_id,
    )?;
    let follow = state.jobs.follow(&owner, id, after.unwrap_or(0)).await?;
    if follow.is_over() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let heartbeat = state.limits.event_heartbeat;
    let hello = Event::default().retry(RECONNECT).comment("following");
    let events = stream::iter([hello])
        .chain(follow.into_stream().map(|event| to_sse(&event)))
        .map(Ok::<_, Infallible>)
        .take_until(state.stopping().clone().cancelled_owned());
    let alive = KeepAlive::new().interval(heartbeat).text("heartbeat");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    // nginx collects answers unless told not to.
    response
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn to_sse(event: &JobEvent) -> Event {
    let name = match event.kind {
        EventKind::State { .. } => "state",
        EventKind::Progress(_) => "progress",
        EventKind::Artifact { .. } => "artifact",
        EventKind::Renamed { .. } => "renamed",
    };
    let json = serde_json::to_string(event).expect("an event is plain JSON");
    Event::default().id(event.seq.to_string()).event(name).data(json)
}

/// Events are counted in 63 bits.
fn last_event_id(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seq: u64 = text.parse().ok().filter(|_| digits)?;
    (i64::try_from(seq).is_ok()).then_some(seq)
}
