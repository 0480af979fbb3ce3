//! `POST /v1/jobs`: a submission as a form or as JSON.

pub(crate) mod fields;
mod form;
pub(crate) mod json;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use trellis_core::Job;
use trellis_jobs::{Asked, Intake, SubmitError, Submitted, Terms};

use crate::AppState;
use crate::contract::{SubmitHeaders, SubmitProblems};
use crate::crowd;
use crate::extract::{Caller, single_header};
use crate::problem::Problem;
use crate::request_error::RequestError;
use crate::trace::traceparent;
use crate::wait;

pub(crate) use form::{PictureForm, SubmissionForm, broken};
pub(crate) use json::SubmissionJson;

const MAX_KEY_LENGTH: usize = 255;

/// Submit a job
///
/// Takes one or more pictures of one object and answers once they and the job are safely on disk.
/// With an `Idempotency-Key`, sending the same request again answers with the same job. A request with a
/// seed that an earlier job asked for is done at once with that one's result: the job is then `cached`.
#[utoipa::path(
    post,
    path = "/jobs",
    tag = "jobs",
    operation_id = "submit_job",
    params(SubmitHeaders),
    request_body(content(
        (SubmissionForm = "multipart/form-data"),
        (SubmissionJson = "application/json"),
    )),
    responses(
        (status = 200, description = "The client waited (`Prefer: wait`), and the job is finished", body = Job,
            headers(
                ("Location" = String, description = "The job's path"),
                ("Preference-Applied" = String, description = "For how long the server would have waited"),
            ),
        ),
        (status = 202, description = "The job is accepted and on disk", body = Job,
            headers(
                ("Location" = String, description = "The job's path"),
                ("Idempotency-Replayed" = String, description = "`true` where this is an earlier job of the same key"),
            ),
            links(
                ("job" = (operation_id = "get_job", parameters(("id" = "$response.body#/id")))),
                ("end" = (operation_id = "delete_job", parameters(("id" = "$response.body#/id")))),
                ("statement" = (operation_id = "get_statement", parameters(("id" = "$response.body#/id")))),
                ("events" = (operation_id = "job_events", parameters(("id" = "$response.body#/id")))),
                ("input" = (operation_id = "get_input", parameters(("id" = "$response.body#/id"), ("index" = serde_json::json!(0))))),
            ),
        ),
        SubmitProblems,
    ),
)]
pub(crate) async fn submit_job(
    State(state): State<AppState>,
    Caller(owner): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let terms = Terms {
        owner,
        idempotency_key: idempotency_key(request.headers())?,
        traceparent: traceparent(request.headers()),
        no_cache: asks_no_cache(request.headers()),
    };
    let coming = crowd::pass(state.crowd(), &state.jobs, request.headers()).await?;
    let mut intake = admitted(&state, request.headers()).await?;
    let headers = request.headers().clone();
    let displaced = intake.displaced();
    let asked = tokio::select! {
        asked = read(&state, request, &mut intake) => asked?,
        () = displaced.cancelled() => return Err(SubmitError::Busy.into()),
    };
    let (owner, seconds) = (terms.owner.clone(), wait::preferred(&headers));
    let submitted = state.jobs.submit(intake, asked, terms).await;
    drop(coming);
    let mut submitted = submitted.inspect_err(|error| state.crowd().note(error))?;
    if let Some(seconds) = seconds {
        submitted.job = wait::wait(&state, &owner, submitted.job.id, seconds).await?;
    }
    Ok(accepted(submitted, seconds))
}

/// A submission may come: its headers say nothing against it, and there is room.
pub(crate) async fn admitted(state: &AppState, headers: &HeaderMap) -> Result<Intake, Problem> {
    refuse_announced_size(headers, state.limits.body_bytes)?;
    refuse_compressed(headers)?;
    // Before the body is read, which would find no place.
    state.jobs.accepts(announced_bytes(headers)).await?;
    Ok(state.jobs.intake())
}

async fn read(state: &AppState, request: Request, intake: &mut Intake) -> Result<Asked, Problem> {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let text = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match essence(text).as_str() {
        "multipart/form-data" => form::read(state, request, intake).await,
        "application/json" => json::read(state, request, intake).await,
        _ => Err(RequestError::UnsupportedMediaType {
            found: text.chars().take(100).collect(),
        }
        .into()),
    }
}

/// One picture that no job is made of, sent as a form.
pub(crate) async fn picture(state: &AppState, request: Request) -> Result<Intake, Problem> {
    let mut intake = admitted(state, request.headers()).await?;
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let text = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if essence(text) != "multipart/form-data" {
        return Err(RequestError::NotForm {
            found: text.chars().take(100).collect(),
        }
        .into());
    }
    let displaced = intake.displaced();
    tokio::select! {
        read = form::read_picture(state, request, &mut intake) => read?,
        () = displaced.cancelled() => return Err(SubmitError::Busy.into()),
    }
    Ok(intake)
}

/// A media type without its parameters.
pub(crate) fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, RequestError> {
    single_header(
        headers,
        "idempotency-key",
        "1 to 255 visible ASCII characters",
        |key| {
            let plain = key.bytes().all(|byte| byte.is_ascii_graphic());
            (plain && (1..=MAX_KEY_LENGTH).contains(&key.len())).then(|| key.to_owned())
        },
    )
}

/// A body that says it is too large is refused before it is sent.
pub(crate) fn refuse_announced_size(headers: &HeaderMap, limit_bytes: usize) -> Result<(), RequestError> {
    if announced_bytes(headers) > limit_bytes as u64 {
        return Err(RequestError::BodyTooLarge { limit_bytes });
    }
    Ok(())
}

/// How long the body is to be; 0 where it does not say.
fn announced_bytes(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A compressed body would be taken for damaged JSON or a damaged form.
pub(crate) fn refuse_compressed(headers: &HeaderMap) -> Result<(), RequestError> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let found = encodings
        .map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .trim()
                .to_ascii_lowercase()
        })
        .find(|encoding| !["", "identity"].contains(&encoding.as_str()));
    match found {
        None => Ok(()),
        Some(found) => Err(RequestError::UnsupportedEncoding {
            found: found.chars().take(64).collect(),
        }),
    }
}

/// Whether the client wants the result made again.
pub(crate) fn asks_no_cache(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    directives.any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

/// 200 where the client waited for the job and it is finished. `waited`: for how long at most.
pub(crate) fn accepted(Submitted { job, replayed }: Submitted, waited: Option<u32>) -> Response {
    let location = HeaderValue::try_from(format!("/v1/jobs/{}", job.id)).expect("an id is a header value");
    let status = if waited.is_some() && job.state.is_final() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let mut response = (status, [(header::LOCATION, location)], Json(job)).into_response();
    let headers = response.headers_mut();
    if replayed {
        headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    if let Some(seconds) = waited {
        headers.insert(wait::PREFERENCE_APPLIED, wait::applied(seconds));
    }
    response
}
