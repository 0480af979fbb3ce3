//! A stored file as an answer: ETag, conditions, ranges, streamed; or, where the settings want that, the address at which its
//! own storage hands it out.
//!
//! Ranges are those of RFC 9110, section 14: of `GET` alone, and a `Range` whose `If-Range` does not match is ignored.
//! Conditions go before them (`conditions.rs`).

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;
use tracing::warn;
use trellis_core::Sha256;
use trellis_jobs::{BlobKey, BlobStore, LinkAs};

use crate::conditions::{self, Condition};
use crate::problem::Problem;
use crate::range::{Portion, portion};
use crate::request_error::RequestError;

/// How long an address of the file's own place can be used: as long as a client may take to follow it.
const LINK_FOR: Duration = Duration::from_secs(300);

/// A file and how it is shown.
pub(crate) struct StoredFile {
    pub(crate) key: BlobKey,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: Sha256,
    pub(crate) media_type: String,
    /// The name to save it under.
    pub(crate) name: String,
    /// Whether a browser shows it rather than saves it.
    pub(crate) inline: bool,
    /// Whether the same URL will never give other bytes.
    pub(crate) immutable: bool,
}

impl StoredFile {
    /// Answers a `GET` or `HEAD` with `request` headers. The file is opened before the answer begins, so that
    /// one that is gone becomes a problem and not a broken download.
    pub(crate) async fn answer(
        self,
        blobs: &Arc<dyn BlobStore>,
        method: &Method,
        request: &HeaderMap,
    ) -> Result<Response, Problem> {
        let etag = format!("\"{}\"", self.sha256);
        if conditions::check(method, request, Some(&etag))? == Condition::NotModified {
            return Ok((StatusCode::NOT_MODIFIED, self.headers(&etag)).into_response());
        }
        if *method == Method::GET && may_go_elsewhere(request) {
            let shown = LinkAs {
                media_type: self.media_type.clone(),
                disposition: self.disposition(),
            };
            if let Some(link) = blobs.link(&self.key, &shown, LINK_FOR).await? {
                // The next one is signed again.
                let headers = [
                    (header::LOCATION, link),
                    (header::CACHE_CONTROL, "no-store".to_owned()),
                ];
                return Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response());
            }
        }
        let asked =
            text(request, &header::RANGE).filter(|_| *method == Method::GET && range_applies(request, &etag));
        let size_bytes = self.size_bytes;
        let (status, part) = match asked.map_or(Portion::Whole, |range| portion(range, size_bytes)) {
            Portion::Whole => (StatusCode::OK, 0..size_bytes),
            Portion::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Portion::Unsatisfiable => return Err(RequestError::RangeNotSatisfiable { size_bytes }.into()),
        };
        let mut headers = self.headers(&etag);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1);
            headers.insert(header::CONTENT_RANGE, header_value(&range));
        }
        // Also for `HEAD`, which must not promise a file that is gone.
        let mut body = read(blobs.as_ref(), &self.key, part).await?;
        if *method == Method::HEAD {
            body = Body::empty();
        }
        Ok((status, headers, body).into_response())
    }

    fn headers(&self, etag: &str) -> HeaderMap {
        let caching = if self.immutable {
            "private, max-age=31536000, immutable"
        } else {
            "private, no-cache"
        };
        HeaderMap::from_iter([
            (header::ETAG, header_value(etag)),
            (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
            (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
            (header::CONTENT_TYPE, header_value(&self.media_type)),
            (header::CONTENT_DISPOSITION, header_value(&self.disposition())),
        ])
    }

    fn disposition(&self) -> String {
        let place = if self.inline { "inline" } else { "attachment" };
        format!("{place}; {}", file_name(&self.name))
    }
}

/// Whether a client may be sent to where the file is kept. A page may not: its browser asks whether the other place lets it
/// in. Nor does a client that has a part already and goes by our `ETag`; the other place has its own.
fn may_go_elsewhere(request: &HeaderMap) -> bool {
    let by_a_page =
        text(request, &HeaderName::from_static("sec-fetch-mode")).is_some_and(|mode| mode != "navigate");
    !by_a_page && !request.contains_key(header::RANGE) && !request.contains_key(header::IF_RANGE)
}

/// A text of the store's as a header. Names and media types are plain ASCII; anything else is left out.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `filename` of RFC 6266; a name that is not plain is percent-encoded.
fn file_name(name: &str) -> String {
    use std::fmt::Write as _;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.bytes().all(plain) {
        return format!("filename=\"{name}\"");
    }
    name.bytes()
        .fold("filename*=UTF-8''".to_owned(), |mut text, byte| {
            if plain(byte) {
                text.push(char::from(byte));
            } else {
                write!(text, "%{byte:02X}").expect("a string takes everything");
            }
            text
        })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether `If-Range` allows a part (strong comparison; a date never matches, files have none).
fn range_applies(headers: &HeaderMap, etag: &str) -> bool {
    match headers.get(header::IF_RANGE) {
        None => true,
        Some(value) => value.as_bytes() == etag.as_bytes(),
    }
}

/// The bytes of `part` as a body.
async fn read(blobs: &dyn BlobStore, key: &BlobKey, part: Range<u64>) -> Result<Body, Problem> {
    // An error ends the connection early, so that the client sees that the file is not whole.
    let parts = blobs.read(key, part).await?.map_err(|error| {
        warn!(
            error = &error as &dyn std::error::Error,
            "a file cannot be read on"
        );
        io::Error::other("the file cannot be read on")
    });
    Ok(Body::from_stream(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        assert_eq!(file_name("model.glb"), "filename=\"model.glb\"");
        assert_eq!(
            file_name("a\"; x=\"ü\r\n"),
            "filename*=UTF-8''a%22%3B%20x%3D%22%C3%BC%0D%0A"
        );
    }

    #[test]
    fn conditions() {
        let headers =
            |name, value: &'static str| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        for (value, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", false),
            ("Tue, 24 Nov 2026 08:00:00 GMT", false),
        ] {
            assert_eq!(
                range_applies(&headers(header::IF_RANGE, value), "\"a\""),
                expected,
                "{value}"
            );
        }
    }
}
