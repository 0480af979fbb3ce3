//! A submission as JSON with data URIs.

mod document;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use trellis_core::{BackendChoice, ParamsPatch};
use trellis_jobs::Submission;

use super::fields::{known_formats, named};
use crate::AppState;
use crate::problem::Problem;
use crate::request_error::RequestError;

/// A submission as JSON.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body in the contract")]
pub(crate) struct SubmissionJson {
    /// The pictures as data URIs of PNG, JPEG, WebP, GIF, BMP or TIFF; more than one are views of one object.
    #[schema(min_items = 1, value_type = Vec<PictureUri>)]
    images: Vec<String>,
    /// What is asked; what is absent takes its default.
    #[serde(default)]
    params: Option<ParamsPatch>,
    /// Which backend; absent: `auto`.
    backend: Option<BackendChoice>,
}

/// A picture as a data URI.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = "picture-data-uri", pattern = "^\\s*data:[^,]*;base64\\s*,[A-Za-z0-9+/_%\\s-]+=*\\s*$")]
#[expect(dead_code, reason = "describes the form of a text in the contract")]
pub(crate) struct PictureUri(String);

pub(super) async fn read(state: &AppState, request: Request) -> Result<Submission, Problem> {
    let body = whole_body(request, state.limits.body_bytes).await?;
    let state = state.clone();
    // JSON and base64 of 64 MiB take a good part of a second: not on a thread that others wait for.
    let parsed = tokio::task::spawn_blocking(move || parse(&state, &body)).await;
    parsed.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// What a body asks besides its pictures.
#[derive(Deserialize)]
struct Asked {
    #[serde(default, deserialize_with = "object")]
    params: Option<ParamsPatch>,
    backend: Option<BackendChoice>,
}

#[derive(Default)]
struct Collected(Vec<Vec<u8>>);

impl document::Pictures for Collected {
    fn begin(&mut self) -> std::io::Result<()> {
        self.0.push(Vec::new());
        Ok(())
    }

    fn write(&mut self, bytes: Vec<u8>) -> std::io::Result<()> {
        self.0.last_mut().expect("begun").extend(bytes);
        Ok(())
    }
}

fn parse(state: &AppState, body: &[u8]) -> Result<Submission, Problem> {
    let mut images = Collected::default();
    let rest = document::read(body, &mut images).map_err(|error| match error {
        document::ReadError::Refused(error) => error,
        document::ReadError::Io(_) => RequestError::BodyUnreadable,
    })?;
    let Asked { params, backend } = asked(state, rest)?;
    state.jobs.check_count(images.0.len())?;
    Ok(Submission {
        pictures: images.0.into_iter().map(Bytes::from).collect(),
        // A data URI has no file name.
        name: None,
        patch: params.unwrap_or_default(),
        backend: backend.unwrap_or_default(),
    })
}

fn asked(state: &AppState, rest: document::Rest) -> Result<Asked, RequestError> {
    if let Some(Value::Object(params)) = rest.fields.get("params") {
        known_formats(state, params)?;
    }
    let invalid = |reason| RequestError::InvalidJson {
        place: document::PLACE,
        reason,
    };
    let asked = named(rest.fields).map_err(invalid)?;
    if !rest.has_images {
        return Err(invalid("`images` is missing".to_owned()));
    }
    Ok(asked)
}

async fn whole_body(request: Request, limit_bytes: usize) -> Result<Bytes, RequestError> {
    Bytes::from_request(request, &())
        .await
        .map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => RequestError::BodyTooLarge { limit_bytes },
            _ => RequestError::BodyUnreadable,
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
