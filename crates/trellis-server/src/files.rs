//! `/v1/jobs/{id}/artifacts/{name}`, `/v1/jobs/{id}/statement` and `/v1/jobs/{id}/input/{index}`: what a job
//! made, how, and what from.

use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use trellis_core::{Input, InputFile, JobId};
use trellis_jobs::DeliveredStatement;

use crate::AppState;
use crate::contract::{FileHeaders, FileProblems, JobProblems};
use crate::extract::{Caller, PathParts};
use crate::file_answer::StoredFile;
use crate::problem::Problem;
use crate::request_error::RequestError;

/// Fetch an artifact
///
/// `ETag` is the file's SHA-256. One range of bytes is served, so that a download can be resumed.
#[utoipa::path(
    get,
    path = "/jobs/{id}/artifacts/{name}",
    tag = "files",
    operation_id = "get_artifact",
    params(
        ("id" = JobId, Path, description = "The job"),
        ("name" = String, Path, description = "The artifact's name, such as `model.glb`"),
        FileHeaders,
    ),
    responses(
        (status = 200, description = "The file", content(
            (Vec<u8> = "model/gltf-binary"),
            (Vec<u8> = "application/zip"),
            (Vec<u8> = "model/stl"),
            (Vec<u8> = "application/ply"),
            (Vec<u8> = "video/mp4"),
        ), headers(("ETag" = String, description = "The file's SHA-256"))),
        (status = 206, description = "A part of the file", content(
            (Vec<u8> = "model/gltf-binary"),
            (Vec<u8> = "application/zip"),
            (Vec<u8> = "model/stl"),
            (Vec<u8> = "application/ply"),
            (Vec<u8> = "video/mp4"),
        ), headers(("Content-Range" = String, description = "Which part"))),
        (status = 304, description = "The client has it already"),
        (status = 307, description = "The file is at another address, for 5 minutes (`blobs.redirect`)",
            headers(("Location" = String, description = "That address"))),
        FileProblems,
    ),
)]
pub(crate) async fn get_artifact(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts((job, name)): PathParts<(JobId, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(found) = state.jobs.artifact(&owner, job, &name).await? else {
        let name = name.chars().take(100).collect();
        return Err(RequestError::ArtifactNotFound { job, name }.into());
    };
    let artifact = found.artifact;
    let file = StoredFile {
        key: found.key,
        size_bytes: artifact.size_bytes,
        sha256: artifact.sha256,
        media_type: artifact.media_type,
        name: artifact.name,
        inline: false,
        // Another attempt may make another preview; a result stays.
        immutable: !artifact.preview,
    };
    file.answer(&state.jobs.blobs, &method, &headers).await
}

/// Fetch the statement about a result
///
/// An in-toto statement with SLSA's provenance that names each artifact by its SHA-256; in a DSSE envelope
/// where the server has a key to sign with. There is one where the server has a key or the setting
/// `provenance.statement` was on when the result was made.
#[utoipa::path(
    get,
    path = "/jobs/{id}/statement",
    tag = "files",
    operation_id = "get_statement",
    params(
        ("id" = JobId, Path, description = "The job"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has."),
    ),
    responses(
        (status = 200, description = "The statement", content(
            (serde_json::Value = "application/vnd.in-toto+json"),
            (serde_json::Value = "application/vnd.in-toto.provenance+dsse"),
        ), headers(("ETag" = String, description = "The statement's SHA-256"))),
        (status = 304, description = "The client has it already"),
        (status = 307, description = "The file is at another address, for 5 minutes (`blobs.redirect`)",
            headers(("Location" = String, description = "That address"))),
        JobProblems,
    ),
)]
pub(crate) async fn get_statement(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts(job): PathParts<JobId>,
    method: Method,
    mut headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(DeliveredStatement { file, key }) = state.jobs.statement(&owner, job).await? else {
        return Err(RequestError::StatementNotFound { job }.into());
    };
    // A few kilobytes: always whole, so that an answer is always JSON.
    headers.remove(header::RANGE);
    let file = StoredFile {
        key,
        size_bytes: file.size_bytes,
        sha256: file.sha256,
        media_type: file.media_type,
        name: file.name,
        inline: false,
        immutable: true,
    };
    file.answer(&state.jobs.blobs, &method, &headers).await
}

/// Fetch a submitted picture
#[utoipa::path(
    get,
    path = "/jobs/{id}/input/{index}",
    tag = "files",
    operation_id = "get_input",
    params(
        ("id" = JobId, Path, description = "The job"),
        ("index" = u32, Path, description = "Which picture, from 0; a mesh that is textured comes after them"),
        FileHeaders,
    ),
    responses(
        (status = 200, description = "The picture or mesh as it was sent", content(
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/webp"),
            (Vec<u8> = "image/gif"),
            (Vec<u8> = "image/bmp"),
            (Vec<u8> = "image/tiff"),
            (Vec<u8> = "model/gltf-binary"),
            (Vec<u8> = "model/obj"),
            (Vec<u8> = "application/ply"),
        ), headers(("ETag" = String, description = "The picture's SHA-256"))),
        (status = 206, description = "A part of the picture", content(
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/webp"),
            (Vec<u8> = "image/gif"),
            (Vec<u8> = "image/bmp"),
            (Vec<u8> = "image/tiff"),
            (Vec<u8> = "model/gltf-binary"),
            (Vec<u8> = "model/obj"),
            (Vec<u8> = "application/ply"),
        ), headers(("Content-Range" = String, description = "Which part"))),
        (status = 304, description = "The client has it already"),
        (status = 307, description = "The file is at another address, for 5 minutes (`blobs.redirect`)",
            headers(("Location" = String, description = "That address"))),
        FileProblems,
    ),
)]
pub(crate) async fn get_input(
    State(state): State<AppState>,
    Caller(owner): Caller,
    PathParts((job, index)): PathParts<(JobId, u32)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some((input, key)) = state.jobs.input(&owner, job, index).await? else {
        return Err(RequestError::InputNotFound { job, index }.into());
    };
    let Input {
        file,
        size_bytes,
        sha256,
        ..
    } = input;
    let file = StoredFile {
        key,
        size_bytes,
        sha256,
        media_type: file.media_type().to_owned(),
        name: format!("input-{index}.{}", file.extension()),
        inline: matches!(file, InputFile::Picture(_)),
        immutable: true,
    };
    file.answer(&state.jobs.blobs, &method, &headers).await
}
