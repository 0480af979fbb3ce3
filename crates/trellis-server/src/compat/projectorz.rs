//! The dialect of trellis-stable-projectorz, the server behind StableProjectorz: one generation at a time, told by
//! `/status`, its files under `/download`. It has a listener of its own, because its paths are those of other dialects.
//!
//! Source: that server's `api_spz/routes/generation.py`. Where its clients compare texts or codes they are the same; what
//! would break them is put right. A preview and the model that is made of it are two jobs (`work.rs`).

mod desk;
mod failed;
mod form;
mod layout;
mod text;
mod wishes;
mod work;

use std::collections::HashMap;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use trellis_core::{Format, JobId};
use trellis_jobs::{Owner, SubmitError};

use self::desk::{Desk, Files, Kind, Told};
use self::failed::Failed;
use self::form::Many;
use self::wishes::Raw;
use self::work::Order;
use crate::AppState;
use crate::extract::Caller;
use crate::file_answer::StoredFile;
use crate::submit::json::{Shape, read_body};
use crate::trace::traceparent;

/// What its handlers share: the server's, and the generation that each key has.
#[derive(Clone)]
pub(crate) struct Room {
    state: AppState,
    desk: Desk,
}

/// A body of `/generate`.
const PANEL: Shape = Shape {
    pictures: "single_multi_img_input",
    mesh: None,
    single: true,
    bare: true,
    names: None,
};

/// All its routes.
pub(crate) fn routes(state: AppState) -> Router {
    let desk = Desk::default();
    Router::new()
        .route("/ping", get(ping))
        .route("/status", get(status))
        .route("/generate", post(panel))
        .route("/generate_no_preview", post(no_preview))
        .route("/generate_preview", post(preview))
        .route("/generate_multi_no_preview", post(multi_no_preview))
        .route("/generate_multi_preview", post(multi_preview))
        .route("/resume_from_preview", post(resume))
        .route("/interrupt", post(interrupt))
        .route("/info/supported_operations", get(operations))
        .route("/download/model", get(model))
        .route("/download/preview/{kind}", get(video))
        .route("/download/spz-ui-layout/generation-3d-panel", get(layout))
        .fallback(async || Failed::new(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || {
            Failed::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .with_state(Room { state, desk })
}

#[derive(Serialize)]
struct Ping {
    status: &'static str,
    message: &'static str,
    busy: bool,
}

async fn ping(State(room): State<Room>, Caller(owner): Caller) -> Json<Ping> {
    Json(Ping {
        status: "running",
        message: "Trellis API is operational",
        busy: room.desk.of(&owner).busy,
    })
}

#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    told: Told,
    busy: bool,
}

async fn status(State(room): State<Room>, Caller(owner): Caller) -> Json<Status> {
    let current = room.desk.of_next(&owner).await;
    let told = match current.job {
        Some((id, kind)) if current.busy => match room.state.jobs.get(&owner, id).await {
            Ok(job) => work::told(&job, kind),
            Err(_) => current.told,
        },
        _ => current.told,
    };
    Json(Status {
        told,
        busy: current.busy,
    })
}

/// What the panel of StableProjectorz sends: JSON. Each of its errors is a 500 that has the code in its text.
async fn panel(State(room): State<Room>, Caller(owner): Caller, request: Request) -> Response {
    let work = async {
        let arrival = room.desk.arrive(&owner)?;
        let traceparent = traceparent(request.headers());
        let mut intake = work::admitted(&room.state, request.headers()).await?;
        let displaced = intake.displaced();
        let read = read_body(&room.state, request, &mut intake, PANEL, |rest| {
            match rest.pictures {
                None | Some(0) => Err(Failed::new(StatusCode::BAD_REQUEST, "No images provided")),
                Some(_) => Raw::of_panel(&rest.fields),
            }
        });
        let raw = tokio::select! {
            raw = read => raw?,
            () = displaced.cancelled() => return Err(SubmitError::Busy.into()),
            () = arrival.unwanted.cancelled() => return Err(Failed::cancelled()),
        };
        let wishes = raw
            .checked()
            .map_err(|failed| room.desk.refused(&owner, failed))?;
        let turn = room.desk.begin(&owner)?;
        let order = Order {
            intake,
            wishes,
            traceparent,
        };
        work::run(&room.state, turn, &owner, order, Kind::Model).await
    };
    work.await.map_err(Failed::nested).into_response()
}

async fn no_preview(room: State<Room>, caller: Caller, request: Request) -> Result<Response, Failed> {
    generate(room, caller, request, Many::No, Kind::Model).await
}

async fn preview(room: State<Room>, caller: Caller, request: Request) -> Result<Response, Failed> {
    generate(room, caller, request, Many::No, Kind::Preview).await
}

async fn multi_no_preview(room: State<Room>, caller: Caller, request: Request) -> Result<Response, Failed> {
    generate(room, caller, request, Many::Yes, Kind::Model).await
}

async fn multi_preview(room: State<Room>, caller: Caller, request: Request) -> Result<Response, Failed> {
    generate(room, caller, request, Many::Yes, Kind::Preview).await
}

async fn generate(
    State(room): State<Room>,
    Caller(owner): Caller,
    request: Request,
    many: Many,
    kind: Kind,
) -> Result<Response, Failed> {
    let arrival = room.desk.arrive(&owner)?;
    let traceparent = traceparent(request.headers());
    let mut intake = work::admitted(&room.state, request.headers()).await?;
    let displaced = intake.displaced();
    let form = tokio::select! {
        form = form::read(&room.state, request, &mut intake, many) => form?,
        () = displaced.cancelled() => return Err(SubmitError::Busy.into()),
        () = arrival.unwanted.cancelled() => return Err(Failed::cancelled()),
    };
    // What is of a wrong type never was a generation, what is out of range is one that failed.
    let raw = form.raw()?;
    let taken = form.taken(&room.state, &mut intake, raw).await;
    let wishes = taken.map_err(|failed| room.desk.refused(&owner, failed))?;
    let turn = room.desk.begin(&owner)?;
    let order = Order {
        intake,
        wishes,
        traceparent,
    };
    work::run(&room.state, turn, &owner, order, kind).await
}

async fn resume(
    State(room): State<Room>,
    Caller(owner): Caller,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let wishes = wishes::of_resume(&query)?;
    work::resume(&room.state, &room.desk, &owner, (wishes, traceparent(&headers))).await
}

#[derive(Serialize)]
struct Interrupted {
    status: &'static str,
}

async fn interrupt(State(room): State<Room>, Caller(owner): Caller) -> Json<Interrupted> {
    let status = if room.desk.interrupt(&owner) {
        "interrupt_requested"
    } else {
        "no_generation_in_progress"
    };
    Json(Interrupted { status })
}

async fn operations() -> Json<[&'static str; 1]> {
    Json(["make_meshes_and_tex"])
}

async fn layout() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        layout::PANEL,
    )
}

async fn model(
    State(room): State<Room>,
    Caller(owner): Caller,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let missing = Failed::new(StatusCode::NOT_FOUND, "Mesh not found");
    let Files::Model(job) = room.desk.of(&owner).files else {
        return Err(missing);
    };
    let download = Download {
        job,
        format: Format::Glb,
        name: "model.glb",
    };
    download
        .answer(&room, &owner, &method, &headers)
        .await?
        .ok_or(missing)
}

/// `gaussian` or `mesh`: the same video.
async fn video(
    State(room): State<Room>,
    Caller(owner): Caller,
    Path(kind): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let name = match kind.as_str() {
        "gaussian" => "preview_gaussian.mp4",
        "mesh" => "preview_mesh.mp4",
        _ => {
            return Err(failed::of_field(
                "path",
                "type",
                "Input should be 'gaussian' or 'mesh'",
            ));
        }
    };
    let missing = Failed::new(StatusCode::NOT_FOUND, "Preview not found");
    let Files::Preview(job) = room.desk.of(&owner).files else {
        return Err(missing);
    };
    let download = Download {
        job,
        format: Format::Turntable,
        name,
    };
    download
        .answer(&room, &owner, &method, &headers)
        .await?
        .ok_or(missing)
}

/// A file of the last generation.
struct Download {
    job: JobId,
    format: Format,
    name: &'static str,
}

impl Download {
    /// `None` where there is none, or no longer.
    async fn answer(
        self,
        room: &Room,
        owner: &Owner,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Option<Response>, Failed> {
        let jobs = &room.state.jobs;
        let Ok(job) = jobs.get(owner, self.job).await else {
            return Ok(None);
        };
        let artifact = job
            .artifacts
            .iter()
            .find(|artifact| artifact.format == self.format && !artifact.preview);
        let Some(artifact) = artifact else {
            return Ok(None);
        };
        let Some(found) = jobs.artifact(owner, self.job, &artifact.name).await? else {
            return Ok(None);
        };
        let file = StoredFile {
            key: found.key,
            size_bytes: found.artifact.size_bytes,
            sha256: found.artifact.sha256,
            media_type: found.artifact.media_type,
            name: self.name.to_owned(),
            inline: false,
            immutable: false,
        };
        Ok(Some(file.answer(&jobs.blobs, method, headers).await?))
    }
}
