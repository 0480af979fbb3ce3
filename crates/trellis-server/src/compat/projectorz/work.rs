//! A generation as jobs. One with a preview is two: a video of the object, then, once its client wants it, the model of
//! the same pictures, seed and parameters, for which the sampling is done again.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::{TryStreamExt as _, stream};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use trellis_backend::Route;
use trellis_core::{BackendChoice, Format, Job, JobId, JobState, ParamsPatch, Stage, TraceParent};
use trellis_jobs::{Asked, Intake, Owner, Terms};

use super::desk::{Desk, Ended, Files, Kind, Stand, Told, Turn};
use super::failed::Failed;
use super::wishes::Wishes;
use crate::AppState;
use crate::submit;

/// Names what was brought into range.
const ADJUSTED: HeaderName = HeaderName::from_static("trellis-adjusted");
/// Names the parameters that were taken and have no effect.
const IGNORED: HeaderName = HeaderName::from_static("trellis-ignored");

#[derive(Debug, Serialize)]
struct PreviewUrls {
    gaussian: &'static str,
    mesh: &'static str,
}

#[derive(Debug, Serialize)]
struct Generated<'a> {
    #[serde(flatten)]
    told: &'a Told,
    preview_urls: Option<PreviewUrls>,
    model_url: Option<&'static str>,
}

/// What is asked of a generation, and how.
pub(super) struct Order {
    pub(super) intake: Intake,
    pub(super) wishes: Wishes,
    /// The trace that its request belongs to.
    pub(super) traceparent: Option<TraceParent>,
}

/// A submission may come.
pub(super) async fn admitted(state: &AppState, headers: &HeaderMap) -> Result<Intake, Failed> {
    Ok(submit::admitted(state, headers).await?)
}

/// What `/status` says while this job is under way, and until its answer is handed over.
pub(super) fn told(job: &Job, kind: Kind) -> Told {
    let stage = match job.state {
        // It has no progress any more, and must not seem to begin again.
        state if state.is_final() => Some(Stage::Export),
        _ => job.progress.map(|progress| progress.stage),
    };
    let (progress, message) = match (kind, stage) {
        (Kind::Resumed, _) => (70, "Generating final GLB..."),
        (_, Some(Stage::Decode)) => (50, "3D structure generated"),
        (Kind::Model, Some(Stage::Simplify | Stage::Texture | Stage::Export)) => {
            (70, "Generating GLB file...")
        }
        (Kind::Preview, Some(Stage::Simplify | Stage::Texture | Stage::Export)) => {
            (60, "Generating previews...")
        }
        _ => (10, "Generating 3D structure..."),
    };
    Told::new(Stand::Processing, progress, message)
}

/// Makes the job of a generation and waits for it.
pub(super) async fn run(
    state: &AppState,
    turn: Turn,
    owner: &Owner,
    order: Order,
    kind: Kind,
) -> Result<Response, Failed> {
    let Order {
        intake,
        wishes,
        traceparent,
    } = order;
    let asked = Asked {
        params: wishes.params.with("formats", vec![format(state, kind)]),
        ..Asked::default()
    };
    let terms = Terms {
        owner: owner.clone(),
        traceparent,
        ..Terms::default()
    };
    let job = match state.jobs.submit(intake, asked, terms).await {
        Ok(submitted) => submitted.job.id,
        Err(error) => return Err(turn.fail(error.into())),
    };
    turn.is(job, kind);
    // A client that hangs up may ask `/status` and fetch the result later, so the work goes on.
    let ended = tokio::spawn(end(state.clone(), owner.clone(), job, kind, turn)).await;
    let ended = ended.map_err(|_| Failed::internal("the server aborted the generation"))??;
    let mut answer = answer(ended, kind)?;
    for (name, values) in [
        (ADJUSTED, wishes.adjusted.join(", ")),
        (IGNORED, wishes.ignored.join(", ")),
    ] {
        if let Ok(value) = HeaderValue::try_from(values)
            && !value.is_empty()
        {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// What makes the preview is a video, where a backend here makes one.
fn format(state: &AppState, kind: Kind) -> Format {
    let video = || state.registry.route(BackendChoice::Auto, &[Format::Turntable]);
    match kind {
        Kind::Preview if !matches!(video(), Route::Never(_)) => Format::Turntable,
        _ => Format::Glb,
    }
}

async fn end(state: AppState, owner: Owner, id: JobId, kind: Kind, turn: Turn) -> Result<Ended, Failed> {
    let job = match waited(&state, &owner, id, &turn.interrupted).await {
        Ok(job) => job,
        Err(failed) => return Err(turn.fail(failed)),
    };
    match (job.state, &job.failure) {
        (JobState::Succeeded, _) => {}
        (JobState::Failed, Some(failure)) => return Err(turn.fail(failure.into())),
        _ => return Err(turn.fail(Failed::cancelled())),
    }
    let (told, files) = match kind {
        Kind::Preview => {
            let message = "Preview generation complete";
            (Told::new(Stand::PreviewReady, 100, message), Files::Preview(id))
        }
        Kind::Model | Kind::Resumed => (
            Told::new(Stand::Complete, 100, "Generation complete"),
            Files::Model(id),
        ),
    };
    Ok(turn.end(told, files))
}

/// The end of a generation, which `/status` tells once this is sent.
fn answer(ended: Ended, kind: Kind) -> Result<Response, Failed> {
    let is_preview = kind == Kind::Preview;
    let generated = serde_json::to_vec(&Generated {
        told: &ended.told,
        preview_urls: is_preview.then_some(PreviewUrls {
            gaussian: "/download/preview/gaussian",
            mesh: "/download/preview/mesh",
        }),
        model_url: (!is_preview).then_some("/download/model"),
    })
    .map_err(|error| Failed::internal(&error.to_string()))?;
    let length = generated.len();
    // The end stays with the body until that was sent to its last byte, or its client is gone.
    let body = stream::unfold(
        (Some(Bytes::from(generated)), ended),
        |(rest, ended)| async move { rest.map(|bytes| (Ok::<_, Infallible>(bytes), (None, ended))) },
    );
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, length)
        .body(Body::from_stream(body))
        .map_err(|error| Failed::internal(&error.to_string()))
}

/// The job once it has ended; cancels it where its client wants that.
async fn waited(
    state: &AppState,
    owner: &Owner,
    id: JobId,
    interrupted: &CancellationToken,
) -> Result<Job, Failed> {
    let mut ended = std::pin::pin!(state.jobs.wait(owner, id));
    let mut told = false;
    loop {
        tokio::select! {
            ended = &mut ended => return Ok(ended?),
            () = interrupted.cancelled(), if !told => {
                told = true;
                // Where it ended at the same moment, that end counts.
                if let Err(error) = state.jobs.cancel(owner, id).await {
                    tracing::debug!(job = %id, error = &error as &dyn std::error::Error, "not interrupted");
                }
            }
            () = state.stopping().cancelled() => {
                let said = "the server is stopping; send the request again";
                return Err(Failed::new(StatusCode::SERVICE_UNAVAILABLE, said));
            }
        }
    }
}

/// The model of the preview that is there.
pub(super) async fn resume(
    state: &AppState,
    desk: &Desk,
    owner: &Owner,
    (wishes, traceparent): (Wishes, Option<TraceParent>),
) -> Result<Response, Failed> {
    let before = desk.of(owner);
    let turn = desk.begin(owner)?;
    let (Stand::PreviewReady, Files::Preview(preview)) = (before.told.status, before.files) else {
        let said = "Current generation must be in preview_ready state to resume";
        // The model that is there stays: it is not this request's.
        return Err(turn.refuse(Failed::new(StatusCode::BAD_REQUEST, said).nested()));
    };
    let again = async {
        let mut intake = admitted(state, &HeaderMap::new()).await?;
        let params = copied(state, owner, preview, &mut intake).await?;
        Ok::<_, Failed>((intake, params))
    };
    let (intake, mut params) = match again.await {
        Ok(again) => again,
        Err(failed) => return Err(turn.fail(failed)),
    };
    for name in ["mesh_simplify", "texture_size"] {
        if let Some(value) = wishes.params.given(name) {
            params = params.with(name, value.clone());
        }
    }
    let order = Order {
        intake,
        wishes: Wishes { params, ..wishes },
        traceparent,
    };
    run(state, turn, owner, order, Kind::Resumed).await
}

/// The pictures of an earlier job, and what it asked.
async fn copied(
    state: &AppState,
    owner: &Owner,
    id: JobId,
    intake: &mut Intake,
) -> Result<ParamsPatch, Failed> {
    let gone = || Failed::new(StatusCode::BAD_REQUEST, "No pipeline outputs found in memory").nested();
    let job = state.jobs.get(owner, id).await.map_err(|_| gone())?;
    for index in 0.. {
        let Some((input, key)) = state.jobs.input(owner, id, index).await? else {
            break;
        };
        let mut picture = intake.picture(input.name).await?;
        let mut parts = state.jobs.blobs.read(&key, 0..input.size_bytes).await?;
        while let Some(part) = parts.try_next().await? {
            picture.write(part).await?;
        }
        intake.take(picture).await?;
    }
    let params = serde_json::to_value(&job.params).and_then(serde_json::from_value);
    params.map_err(|error| Failed::internal(&error.to_string()))
}
