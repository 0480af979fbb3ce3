//! A submission as JSON with data URIs.
//!
//! The body goes to disk as it comes, so that nothing scarce is held while a client sends, and is read from there
//! once it is whole. Its pictures go back to disk as they are decoded.

mod document;

use std::io;

use axum::extract::Request;
use bytes::Bytes;
use futures::StreamExt as _;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use trellis_core::{AskedBackend, ParamsPatch, Priority, WebhookEvent};
use trellis_jobs::{Arriving, Asked, BlobError, Intake, SubmitError};

use self::document::{PLACE, Pictures, ReadError};
pub(crate) use self::document::{Rest, Shape};
use super::fields::{known_formats, named, webhook};
use crate::AppState;
use crate::problem::Problem;
use crate::request_error::RequestError;

/// What reading a body may take at a time, bytes: some parts of it and of a picture, and all that has a limit.
const READING_BYTES: u64 = 2 << 20;
/// Parts of pictures that are decoded before one is written.
const PARTS_AHEAD: usize = 4;

/// A submission as JSON.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body in the contract")]
pub(crate) struct SubmissionJson {
    /// The pictures as data URIs of PNG, JPEG, WebP, GIF, BMP or TIFF; more than one are views of one object.
    #[schema(min_items = 1, value_type = Vec<PictureUri>)]
    images: Vec<String>,
    /// A mesh to texture as the pictures show it, as a data URI of GLB, OBJ or PLY with Y up. It keeps its triangles, size
    /// and position. Only `trellis2-4b` does this.
    #[schema(value_type = Option<MeshUri>)]
    mesh: Option<String>,
    /// What is asked; what is absent takes its default.
    #[serde(default)]
    params: Option<ParamsPatch>,
    /// Which backend; absent: `auto`.
    backend: Option<AskedBackend>,
    /// Priority among the jobs of the same API key; absent: `normal`.
    priority: Option<Priority>,
    /// The address that is told of the job, by `POST` and signed.
    #[schema(max_length = 2048)]
    webhook: Option<String>,
    /// What it is told of; absent: how the job ended.
    #[schema(min_items = 1)]
    webhook_events: Option<Vec<WebhookEvent>>,
}

/// A picture as a data URI.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = "picture-data-uri", pattern = "^\\s*data:[^,]*;base64\\s*,[A-Za-z0-9+/_%\\s-]+=*\\s*$")]
#[expect(dead_code, reason = "describes the form of a text in the contract")]
pub(crate) struct PictureUri(String);

/// A mesh as a data URI.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = "mesh-data-uri", pattern = "^\\s*data:[^,]*;base64\\s*,[A-Za-z0-9+/_%\\s-]+=*\\s*$")]
#[expect(dead_code, reason = "describes the form of a text in the contract")]
pub(crate) struct MeshUri(String);

/// What a body asks besides its pictures.
#[derive(Deserialize)]
struct Fields {
    #[serde(default, deserialize_with = "object")]
    params: Option<ParamsPatch>,
    backend: Option<AskedBackend>,
    priority: Option<Priority>,
    webhook: Option<String>,
    webhook_events: Option<Vec<WebhookEvent>>,
}

/// A submission to `/v1/jobs`.
const SUBMISSION: Shape = Shape {
    pictures: "images",
    mesh: Some("mesh"),
    single: false,
    bare: false,
    names: Some(&[
        "images",
        "mesh",
        "params",
        "backend",
        "priority",
        "webhook",
        "webhook_events",
    ]),
};

pub(super) async fn read(state: &AppState, request: Request, intake: &mut Intake) -> Result<Asked, Problem> {
    read_body(state, request, intake, SUBMISSION, |rest| asked(state, rest)).await
}

/// Reads a body of that shape and takes its pictures; `check` judges the other fields before the pictures are looked at.
pub(crate) async fn read_body<T, E: From<Problem>>(
    state: &AppState,
    request: Request,
    intake: &mut Intake,
    shape: Shape,
    check: impl FnOnce(Rest) -> Result<T, E>,
) -> Result<T, E> {
    let (files, rest) = parts_of(state, request, intake, shape).await?;
    let checked = check(rest)?;
    for picture in files.pictures {
        intake.take(picture).await.map_err(Problem::from)?;
    }
    if let Some(mesh) = files.mesh {
        intake.take_mesh(mesh).await.map_err(Problem::from)?;
    }
    Ok(checked)
}

async fn parts_of(
    state: &AppState,
    request: Request,
    intake: &mut Intake,
    shape: Shape,
) -> Result<(Files, Rest), Problem> {
    let mut spool = spooled(request, intake, state.limits.body_bytes).await?;
    let source = spool.reopen().await?;
    let (send, parts) = mpsc::channel(PARTS_AHEAD);
    let reading = state.jobs.heavy_work.run(READING_BYTES, move || {
        document::read(source, shape, &mut Sender(send))
    });
    let (files, rest) = tokio::join!(written(parts, intake), reading);
    // Where files were not written, reading ended only because of that.
    let files = files?;
    let rest = rest.map_err(SubmitError::from)?.map_err(|error| match error {
        ReadError::Refused(error) => Problem::from(error),
        ReadError::Io(error) => {
            let (key, source) = (spool.key().clone(), error.into());
            SubmitError::from(BlobError::Unavailable { key, source }).into()
        }
    })?;
    Ok((files, rest))
}

/// What a body had besides its small fields.
#[derive(Default)]
struct Files {
    pictures: Vec<Arriving>,
    mesh: Option<Arriving>,
}

/// The whole body on disk.
async fn spooled(request: Request, intake: &Intake, limit_bytes: usize) -> Result<Arriving, Problem> {
    let mut body = request.into_body().into_data_stream();
    let mut spool = intake.spool().await?;
    while let Some(part) = body.next().await {
        let part = part.map_err(|_| RequestError::BodyUnreadable)?;
        if spool.size_bytes() + part.len() as u64 > limit_bytes as u64 {
            return Err(RequestError::BodyTooLarge { limit_bytes }.into());
        }
        spool.write(part).await?;
    }
    Ok(spool)
}

/// A part of a body's files, from the thread that reads it.
enum Part {
    /// The next picture begins.
    Begin,
    /// The mesh begins.
    BeginMesh,
    /// The next bytes of what began last.
    Bytes(Bytes),
}

struct Sender(mpsc::Sender<Part>);

impl Sender {
    /// Fails once nobody takes parts any more.
    fn send(&self, part: Part) -> io::Result<()> {
        let sent = self.0.blocking_send(part);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Pictures for Sender {
    fn begin(&mut self) -> io::Result<()> {
        self.send(Part::Begin)
    }

    fn begin_mesh(&mut self) -> io::Result<()> {
        self.send(Part::BeginMesh)
    }

    fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.send(Part::Bytes(bytes.into()))
    }
}

/// Has files written to disk as they come. The picture too many ends it before any of it is taken.
async fn written(mut parts: mpsc::Receiver<Part>, intake: &mut Intake) -> Result<Files, SubmitError> {
    let mut files = Files::default();
    let mut in_mesh = false;
    while let Some(part) = parts.recv().await {
        match part {
            // A data URI has no file name.
            Part::Begin => files.pictures.push(intake.picture(None).await?),
            Part::BeginMesh => files.mesh = Some(intake.mesh(None).await?),
            Part::Bytes(bytes) => {
                let picture = files.pictures.last_mut();
                let file = if in_mesh { files.mesh.as_mut() } else { picture };
                if let Some(file) = file {
                    file.write(bytes).await?;
                }
                continue;
            }
        }
        in_mesh = matches!(part, Part::BeginMesh);
    }
    Ok(files)
}

fn asked(state: &AppState, rest: Rest) -> Result<Asked, Problem> {
    let has_no_images = rest.pictures.is_none();
    if let Some(Value::Object(params)) = rest.fields.get("params") {
        known_formats(state, params)?;
    }
    let invalid = |reason| RequestError::InvalidJson { place: PLACE, reason };
    let Fields {
        params,
        backend,
        priority,
        webhook: url,
        webhook_events,
    } = named(rest.fields).map_err(invalid).map_err(Problem::from)?;
    if has_no_images {
        return Err(invalid("`images` is missing".to_owned()).into());
    }
    Ok(Asked {
        params: params.unwrap_or_default(),
        backend: backend.unwrap_or_default().into(),
        priority: priority.unwrap_or_default(),
        webhook: webhook(state, url.as_deref(), webhook_events)?,
    })
}

/// An object or null. By itself serde also takes a list of the fields' values, which the contract does not.
fn object<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let Some(fields) = Option::<Map<String, Value>>::deserialize(from)? else {
        return Ok(None);
    };
    named(fields).map(Some).map_err(D::Error::custom)
}
