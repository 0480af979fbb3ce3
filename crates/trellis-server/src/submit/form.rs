//! A submission as `multipart/form-data`.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::StatusCode;
use trellis_core::{AssetName, BackendChoice, ParamsPatch};
use trellis_jobs::{IntakeError, Submission};

use super::json::from_json;
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
    #[schema(min_items = 1, max_items = 16, value_type = Vec<PictureFile>)]
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
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| RequestError::BodyUnreadable)?;
    let limit_bytes = state.limits.body_bytes;
    let broken = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => RequestError::BodyTooLarge { limit_bytes },
        _ => RequestError::BodyUnreadable,
    };
    let max_images = state.intake.limits.max_images;
    let mut pictures = Vec::new();
    let mut asset_name = None;
    let (mut params, mut backend) = (None, None);
    while let Some(part) = form.next_field().await.map_err(broken)? {
        let name = part_name(&part);
        let file_name = part.file_name().and_then(AssetName::of_file);
        let content = part.bytes().await.map_err(broken)?;
        match name.as_str() {
            "image" if pictures.len() == max_images => {
                let count = pictures.len() + 1;
                return Err(IntakeError::TooManyPictures { count, max_images }.into());
            }
            "image" => {
                if pictures.is_empty() {
                    asset_name = file_name;
                }
                pictures.push(content);
            }
            "params" => once(&mut params, name, from_json("the part `params`", &content)?)?,
            "backend" => once(&mut backend, name, backend_named(&content)?)?,
            _ => {
                return Err(RequestError::InvalidPart {
                    name,
                    problem: "not known",
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
        idempotency: None,
        made_by: None,
    })
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
            problem: "there twice",
        }),
    }
}

fn backend_named(content: &[u8]) -> Result<BackendChoice, RequestError> {
    Ok(String::from_utf8_lossy(content).trim().parse()?)
}
