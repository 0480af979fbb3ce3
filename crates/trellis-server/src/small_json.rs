//! A JSON body that is small by its nature: read whole, each name once.

use axum::extract::Request;
use axum::http::header;
use bytes::BytesMut;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;

use crate::request_error::RequestError;
use crate::submit::fields::{MOST_JSON_BYTES, fields, named};
use crate::submit::{essence, refuse_compressed};

const PLACE: &str = "the body";

/// Reads the body. A form is refused, also because a page of another site may send one without asking.
pub(crate) async fn small_json<T: DeserializeOwned>(request: Request) -> Result<T, RequestError> {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let text = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if essence(text) != "application/json" {
        return Err(RequestError::NotJson {
            found: text.chars().take(100).collect(),
        });
    }
    refuse_compressed(request.headers())?;
    let mut body = BytesMut::new();
    let mut parts = request.into_body().into_data_stream();
    while let Some(part) = parts.next().await {
        body.extend_from_slice(&part.map_err(|_| RequestError::BodyUnreadable)?);
        if body.len() > MOST_JSON_BYTES {
            return Err(RequestError::JsonTooLong {
                place: PLACE,
                limit_bytes: MOST_JSON_BYTES,
            });
        }
    }
    let invalid = |reason| RequestError::InvalidJson { place: PLACE, reason };
    named(fields(PLACE, &body)?).map_err(invalid)
}
