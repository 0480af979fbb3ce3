//! `/v1/jobs/{id}/thumbnail`: a small picture of a job, made by whoever has seen its result.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use trellis_core::JobId;

use crate::AppState;
use crate::contract::{EditProblems, FileHeaders, FileProblems};
use crate::extract::{Caller, PathParts};
use crate::file_answer::StoredFile;
use crate::problem::Problem;
use crate::request_error::RequestError;
use crate::submit::{refuse_announced_size, refuse_compressed};

/// The largest thumbnail, bytes: a PNG of 256 pixels a side has half of it.
const MAX_BYTES: usize = 256 << 10;

/// Fetch a job's thumbnail
///
/// `ETag` is its SHA-256; another one may take its place.
#[utoipa::path(
    get,
    path = "/jobs/{id}/thumbnail",
    tag = "files",
    operation_id = "get_thumbnail",
    params(("id" = JobId, Path, description = "The job"), FileHeaders),
    responses(
        (status = 200, description = "The picture", content(
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/webp"),
        ), headers(("ETag" = String, description = "The picture's SHA-256"))),
        (status = 206, description = "A part of the picture", content(
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/webp"),
        ), headers(("Content-Range" = String, description = "Which part"))),
        (status = 304, description = "The client has it already"),
        FileProblems,
    ),
)]
pub(crate) async fn get_thumbnail(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(job): PathParts<JobId>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(found) = state.jobs.thumbnail(&owner, job).await? else {
        return Err(RequestError::ThumbnailNotFound { job }.into());
    };
    let file = StoredFile {
        key: found.key,
        size_bytes: found.size_bytes,
        sha256: found.sha256,
        media_type: found.format.media_type().to_owned(),
        name: format!("thumbnail.{}", found.format.extensions()[0]),
        inline: true,
        immutable: false,
    };
    file.answer(&state.jobs.blobs, &method, &headers).await
}

/// Give a job a thumbnail
///
/// A PNG, JPEG or WebP of at most 256 KiB and 1,024 pixels along a side, in the place of an earlier one. What it is, its
/// bytes say; it is not decoded.
#[utoipa::path(
    put,
    path = "/jobs/{id}/thumbnail",
    tag = "files",
    operation_id = "put_thumbnail",
    params(("id" = JobId, Path, description = "The job")),
    request_body(content(
        (Vec<u8> = "image/png"),
        (Vec<u8> = "image/jpeg"),
        (Vec<u8> = "image/webp"),
    )),
    responses((status = 204, description = "It is kept with the job"), EditProblems),
)]
pub(crate) async fn put_thumbnail(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(job): PathParts<JobId>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    refuse_other_types(&headers)?;
    refuse_announced_size(&headers, MAX_BYTES)?;
    refuse_compressed(&headers)?;
    let picture = whole(body).await?;
    state.jobs.keep_thumbnail(&owner, job, picture).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A form, which a page of another site may send without asking, is none of these.
fn refuse_other_types(headers: &HeaderMap) -> Result<(), RequestError> {
    let media_type = headers.get(header::CONTENT_TYPE);
    let text = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if ["image/png", "image/jpeg", "image/webp"].contains(&text.trim().to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(RequestError::NotThumbnail {
        found: text.chars().take(100).collect(),
    })
}

async fn whole(body: Body) -> Result<Bytes, RequestError> {
    let mut whole = BytesMut::new();
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        whole.extend_from_slice(&part.map_err(|_| RequestError::BodyUnreadable)?);
        if whole.len() > MAX_BYTES {
            return Err(RequestError::BodyTooLarge {
                limit_bytes: MAX_BYTES,
            });
        }
    }
    Ok(whole.freeze())
}
