//! `/v1/preprocess`: what of a picture would be taken for the object, before anything is submitted.

use std::io::Read as _;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use tokio_util::sync::CancellationToken;
use trellis_backend::{cut_out, cut_out_bytes};
use trellis_core::{Failure, FailureKind, GenerateError};
use trellis_jobs::SubmitError;

use crate::AppState;
use crate::contract::SubmitProblems;
use crate::origins::MASK;
use crate::problem::Problem;
use crate::submit::{self, PictureForm};

/// Cut the object out of a picture
///
/// Answers with the picture at its own size as an RGBA PNG whose alpha is what the preview would take for the object;
/// corrected by hand and submitted, it is taken as it is. TRELLIS removes backgrounds with a model of its own, unless a
/// picture has an alpha channel. Nothing is kept.
#[utoipa::path(
    post,
    path = "/preprocess",
    tag = "jobs",
    operation_id = "preprocess",
    request_body(content((PictureForm = "multipart/form-data"))),
    responses(
        (status = 200, description = "The picture with its mask", content((Vec<u8> = "image/png")), headers(
            ("Trellis-Mask" = String, description = "`submitted`: the picture had an alpha channel; `computed`: it had none"),
        )),
        SubmitProblems,
    ),
)]
pub(crate) async fn preprocess(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let mut intake = submit::picture(&state, request).await?;
    let (input, mut source) = intake.first().await?;
    let pixels = input.file.pixels();
    let size_bytes = input.size_bytes;
    let max_pixels = state.jobs.limits.max_pixels;
    // Set when this is dropped, as when the client goes.
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let work = move || {
        let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or_default());
        let read = source.read_to_end(&mut bytes);
        read.map_err(|_| Failure::new(FailureKind::Internal, "the picture cannot be read again"))?;
        let made = std::panic::catch_unwind(|| cut_out(&bytes, max_pixels, &stop));
        made.unwrap_or_else(|_| Err(Failure::new(FailureKind::Internal, "the preview crashed").into()))
    };
    let memory = size_bytes.saturating_add(cut_out_bytes(pixels));
    let made = state.preprocessing.run(memory, work).await;
    let made = made.map_err(SubmitError::from)?.map_err(|error| match error {
        GenerateError::Failed(failure) => Problem::from(failure),
        // By nobody but this, which is still here.
        GenerateError::Cancelled => Problem::from(SubmitError::Busy),
    })?;
    let mask = if made.computed { "computed" } else { "submitted" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/png")),
        (MASK, HeaderValue::from_static(mask)),
    ];
    Ok((headers, made.png).into_response())
}
