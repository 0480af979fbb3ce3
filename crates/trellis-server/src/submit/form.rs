//! A submission as `multipart/form-data`, read part by part.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{StatusCode, header};
use bytes::{Bytes, BytesMut};
use trellis_core::{AskedBackend, AssetName, ParamsPatch, Priority, UnknownName, WebhookEvent};
use trellis_jobs::{Asked, Intake};

use super::fields::{MOST_JSON_BYTES, fields, known_formats, named, parameter_meant, webhook};
use crate::AppState;
use crate::problem::Problem;
use crate::request_error::RequestError;

/// A submission as a form.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the parts of a form in the contract")]
pub(crate) struct SubmissionForm {
    /// A picture, PNG, JPEG, WebP, GIF, BMP or TIFF; repeat the part for more views of the object. The `filename`
    /// of the first, without its ending, names the object inside the files that are made.
    #[schema(min_items = 1, value_type = Vec<PictureFile>)]
    image: Vec<String>,
    /// A mesh to texture as the pictures show it, GLB, OBJ or PLY with Y up. It keeps its triangles, size and
    /// position. Only `trellis2-4b` does this.
    #[schema(value_type = Option<MeshFile>, nullable = false)]
    mesh: Option<String>,
    /// What is asked, as JSON; what is absent takes its default.
    #[serde(default)]
    params: ParamsPatch,
    /// Which backend; absent: `auto`.
    #[serde(default)]
    backend: AskedBackend,
    /// Priority among the jobs of the same API key; absent: `normal`.
    #[serde(default)]
    priority: Priority,
    /// The address that is told of the job, by `POST` and signed.
    #[schema(max_length = 2048, nullable = false)]
    webhook: Option<String>,
    /// What it is told of, an event a part; absent: how the job ended.
    #[schema(min_items = 1, nullable = false)]
    webhook_events: Option<Vec<WebhookEvent>>,
}

/// One picture.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the part of a form in the contract")]
pub(crate) struct PictureForm {
    /// PNG, JPEG, WebP, GIF, BMP or TIFF.
    #[schema(value_type = PictureFile)]
    image: String,
}

/// A picture's bytes.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes a part of a form in the contract")]
pub(crate) struct PictureFile(String);

/// A mesh's bytes.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes a part of a form in the contract")]
pub(crate) struct MeshFile(String);

/// Where parameters are, in errors.
const PARAMS: &str = "the part `params`";
/// The longest text in place of a picture that may be its name, bytes.
const LONGEST_NAME: usize = 4096;

/// The parts of a form as they come.
struct Form {
    parts: Multipart,
    limit_bytes: usize,
}

impl Form {
    async fn open(request: Request, limit_bytes: usize) -> Result<Self, RequestError> {
        refuse_without_boundary(&request)?;
        let parts = Multipart::from_request(request, &()).await;
        let parts = parts.map_err(|_| RequestError::BodyUnreadable)?;
        Ok(Self { parts, limit_bytes })
    }

    async fn next(&mut self) -> Result<Option<Part<'_>>, RequestError> {
        let limit_bytes = self.limit_bytes;
        let field = self.parts.next_field().await;
        let field = field.map_err(|error| broken(&error, limit_bytes))?;
        Ok(field.map(|field| Part { field, limit_bytes }))
    }
}

/// One of them.
struct Part<'a> {
    field: Field<'a>,
    limit_bytes: usize,
}

impl Part<'_> {
    /// Its name, cut to a length that fits in an error.
    fn name(&self) -> String {
        self.field.name().unwrap_or_default().chars().take(64).collect()
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        let chunk = self.field.chunk().await;
        chunk.map_err(|error| broken(&error, self.limit_bytes))
    }

    /// All of it, or a little more than `longest` bytes.
    async fn beginning(&mut self, longest: usize) -> Result<Bytes, RequestError> {
        let mut beginning = BytesMut::new();
        while beginning.len() <= longest
            && let Some(chunk) = self.chunk().await?
        {
            beginning.extend_from_slice(&chunk);
        }
        Ok(beginning.freeze())
    }

    /// All of a part that cannot be long.
    async fn text(mut self) -> Result<Bytes, RequestError> {
        let text = self.beginning(MOST_JSON_BYTES).await?;
        if text.len() > MOST_JSON_BYTES {
            let limit_bytes = MOST_JSON_BYTES;
            return Err(match self.name() {
                name if name == "params" => RequestError::JsonTooLong {
                    place: PARAMS,
                    limit_bytes,
                },
                name => RequestError::InvalidPart {
                    name,
                    problem: format!("longer than {limit_bytes} bytes"),
                },
            });
        }
        Ok(text)
    }

    /// Has it written to disk as it comes.
    async fn picture(mut self, intake: &mut Intake) -> Result<(), Problem> {
        let is_file = self.field.file_name().is_some();
        let name = self.field.file_name().and_then(AssetName::of_file);
        let mut picture = intake.picture(name).await?;
        if !is_file {
            let beginning = self.beginning(LONGEST_NAME).await?;
            refuse_name(&beginning)?;
            picture.write(beginning).await?;
        }
        while let Some(chunk) = self.chunk().await? {
            picture.write(chunk).await?;
        }
        Ok(intake.take(picture).await?)
    }

    /// The same of the mesh.
    async fn mesh(mut self, intake: &mut Intake) -> Result<(), Problem> {
        let is_file = self.field.file_name().is_some();
        let name = self.field.file_name().and_then(AssetName::of_file);
        let mut mesh = intake.mesh(name).await?;
        if !is_file {
            let beginning = self.beginning(LONGEST_NAME).await?;
            if name_in(&beginning).is_some() {
                let problem = "text, not a file; curl sends a file with `-F mesh=@chair.glb`".to_owned();
                let name = self.name();
                return Err(RequestError::InvalidPart { name, problem }.into());
            }
            mesh.write(beginning).await?;
        }
        while let Some(chunk) = self.chunk().await? {
            mesh.write(chunk).await?;
        }
        Ok(intake.take_mesh(mesh).await?)
    }
}

/// What is wrong with a form of which a part could not be read.
pub(crate) fn broken(error: &MultipartError, limit_bytes: usize) -> RequestError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => RequestError::BodyTooLarge { limit_bytes },
        _ => RequestError::BodyUnreadable,
    }
}

/// Reads a form part by part; what cannot be used is refused before the rest is sent.
pub(super) async fn read(state: &AppState, request: Request, intake: &mut Intake) -> Result<Asked, Problem> {
    let mut form = Form::open(request, state.limits.body_bytes).await?;
    let (mut params, mut backend, mut priority) = (None, None, None);
    let (mut url, mut events) = (None, None::<Vec<WebhookEvent>>);
    while let Some(part) = form.next().await? {
        let name = part.name();
        match name.as_str() {
            "image" => part.picture(intake).await?,
            "mesh" => part.mesh(intake).await?,
            "params" => once(&mut params, name, params_of(state, &part.text().await?)?)?,
            "backend" => once(&mut backend, name, backend_named(&part.text().await?)?)?,
            "priority" => {
                let asked = priority_named(&name, &part.text().await?)?;
                once(&mut priority, name, asked)?;
            }
            "webhook" => once(&mut url, name, text_of(&part.text().await?))?,
            "webhook_events" => {
                let event = event_named(&name, &part.text().await?)?;
                let events = events.get_or_insert_default();
                // Each is known, so more are repetitions.
                if !events.contains(&event) {
                    events.push(event);
                }
            }
            _ => {
                return Err(RequestError::InvalidPart {
                    problem: unknown_part(&name),
                    name,
                }
                .into());
            }
        }
    }
    Ok(Asked {
        params: params.unwrap_or_else(ParamsPatch::default),
        backend: backend.unwrap_or_default().into(),
        priority: priority.unwrap_or_default(),
        webhook: webhook(state, url.as_deref(), events)?,
    })
}

/// Reads a form of one picture and nothing else.
pub(super) async fn read_picture(
    state: &AppState,
    request: Request,
    intake: &mut Intake,
) -> Result<(), Problem> {
    let mut form = Form::open(request, state.limits.body_bytes).await?;
    let mut picture = None;
    while let Some(part) = form.next().await? {
        let name = part.name();
        if name != "image" {
            let problem = "not asked for here".to_owned();
            return Err(RequestError::InvalidPart { name, problem }.into());
        }
        once(&mut picture, name, ())?;
        part.picture(intake).await?;
    }
    Ok(())
}

/// RFC 7578, section 4.1: without a boundary nobody can tell the parts apart.
fn refuse_without_boundary(request: &Request) -> Result<(), RequestError> {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let text = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let named = text.split(';').skip(1).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("boundary") && !value.trim().trim_matches('"').is_empty()
    });
    if named {
        Ok(())
    } else {
        Err(RequestError::BoundaryMissing)
    }
}

/// Refuses the beginning of a part that is no file and may be a file's name. Who forgets the `@` of curl sends the
/// picture's name instead of it.
fn refuse_name(beginning: &[u8]) -> Result<(), RequestError> {
    match name_in(beginning) {
        None => Ok(()),
        Some(name) => Err(RequestError::PictureIsText {
            text: name.chars().take(100).collect(),
        }),
    }
}

/// What may be a file's name in place of the file.
fn name_in(beginning: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(beginning).ok().map(str::trim);
    text.filter(|text| !text.is_empty() && text.len() <= LONGEST_NAME && !text.chars().any(char::is_control))
}

/// Parameters are often sent as parts of their own.
fn unknown_part(name: &str) -> String {
    match parameter_meant(name) {
        Some(parameter) if parameter == name => "a parameter, which belongs in the part `params`".to_owned(),
        Some(parameter) => format!("the parameter `{parameter}`, which belongs in the part `params`"),
        None => "unknown".to_owned(),
    }
}

fn params_of(state: &AppState, content: &[u8]) -> Result<ParamsPatch, RequestError> {
    let fields = fields(PARAMS, content)?;
    known_formats(state, &fields)?;
    named(fields).map_err(|reason| RequestError::InvalidJson {
        place: PARAMS,
        reason,
    })
}

fn once<T>(place: &mut Option<T>, name: String, value: T) -> Result<(), RequestError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(RequestError::InvalidPart {
            name,
            problem: "repeated".to_owned(),
        }),
    }
}

fn backend_named(content: &[u8]) -> Result<AskedBackend, RequestError> {
    Ok(text_of(content).parse()?)
}

fn priority_named(name: &str, content: &[u8]) -> Result<Priority, RequestError> {
    text_of(content).parse().map_err(|error| wrong(name, &error))
}

fn event_named(name: &str, content: &[u8]) -> Result<WebhookEvent, RequestError> {
    text_of(content).parse().map_err(|error| wrong(name, &error))
}

fn wrong(name: &str, error: &UnknownName) -> RequestError {
    RequestError::InvalidPart {
        name: name.to_owned(),
        problem: format!("wrong: {error}"),
    }
}

fn text_of(content: &[u8]) -> String {
    String::from_utf8_lossy(content).trim().to_owned()
}
