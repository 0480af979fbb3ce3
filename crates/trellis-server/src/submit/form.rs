//! A submission as `multipart/form-data`.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use trellis_core::{AssetName, BackendChoice, ParamsPatch};
use trellis_jobs::Submission;

use super::fields::{fields, known_formats, named, parameter_meant};
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
    /// What is asked, as JSON; what is absent takes its default.
    #[serde(default)]
    params: ParamsPatch,
    /// Which backend; absent: `auto`.
    #[serde(default)]
    backend: BackendChoice,
}

/// A picture's bytes.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes a part of a form in the contract")]
pub(crate) struct PictureFile(String);

pub(super) async fn read(state: &AppState, request: Request) -> Result<Submission, Problem> {
    refuse_without_boundary(&request)?;
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| RequestError::BodyUnreadable)?;
    let limit_bytes = state.limits.body_bytes;
    let broken = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => RequestError::BodyTooLarge { limit_bytes },
        _ => RequestError::BodyUnreadable,
    };
    let mut pictures = Vec::new();
    let mut asset_name = None;
    let (mut params, mut backend) = (None, None);
    while let Some(part) = form.next_field().await.map_err(broken)? {
        let name = part_name(&part);
        let is_file = part.file_name().is_some();
        let file_name = part.file_name().and_then(AssetName::of_file);
        let content = part.bytes().await.map_err(broken)?;
        match name.as_str() {
            "image" => {
                state.jobs.check_count(pictures.len() + 1)?;
                if pictures.is_empty() {
                    asset_name = file_name;
                }
                pictures.push(if is_file { content } else { not_a_name(content)? });
            }
            "params" => once(&mut params, name, params_of(state, &content)?)?,
            "backend" => once(&mut backend, name, backend_named(&content)?)?,
            _ => {
                return Err(RequestError::InvalidPart {
                    problem: unknown_part(&name),
                    name,
                }
                .into());
            }
        }
    }
    Ok(Submission {
        pictures,
        name: asset_name,
        patch: params.unwrap_or_else(ParamsPatch::default),
        backend: backend.unwrap_or_default(),
    })
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

/// The bytes of a part that is no file. Who forgets the `@` of curl sends the picture's name instead of it.
fn not_a_name(content: Bytes) -> Result<Bytes, RequestError> {
    const LONGEST: usize = 4096;
    let text = std::str::from_utf8(&content).ok().map(str::trim);
    let name =
        text.filter(|text| !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control));
    match name {
        None => Ok(content),
        Some(name) => Err(RequestError::PictureIsText {
            text: name.chars().take(100).collect(),
        }),
    }
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
    const PLACE: &str = "the part `params`";
    let fields = fields(PLACE, content)?;
    known_formats(state, &fields)?;
    named(fields).map_err(|reason| RequestError::InvalidJson { place: PLACE, reason })
}

/// Its name, cut to a length that fits in an error.
fn part_name(part: &Field<'_>) -> String {
    part.name().unwrap_or_default().chars().take(64).collect()
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

fn backend_named(content: &[u8]) -> Result<BackendChoice, RequestError> {
    Ok(String::from_utf8_lossy(content).trim().parse()?)
}
