//! The one form of an error answer: RFC 9457 `application/problem+json`.
//!
//! A handler returns a [`Problem`]; `observe.rs` writes its body, because only there is the request's
//! id known, and logs its cause. The client gets kind, sentence and fix, never the cause.

use std::error::Error;
use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::request_error::RequestError;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not done, and what to do about it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    pub(crate) fix: String,
    pub(crate) cause: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A problem as clients see it (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The stable kind: `urn:trellis-server:problem:` and a name such as `queue_full`.
    #[serde(rename = "type")]
    #[schema(format = Uri, pattern = "^urn:trellis-server:problem:[a-z_]+$")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The status code of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// What to do about it.
    fix: String,
    /// The request's id, under which the server's log tells more.
    request_id: String,
}

impl Problem {
    /// A problem of `kind`, told by `error` whose causes are for the log only.
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        error: &dyn Error,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            detail: error.to_string(),
            fix: fix.into(),
            cause: causes(error),
            headers: Vec::new(),
        }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The client may try again after so many seconds.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u16) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The headers of its answer besides those that every problem has.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The JSON of the answer to request `request_id`.
    pub(crate) fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:trellis-server:problem:{}", self.kind),
            title: title(self.kind),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            fix: self.fix.clone(),
            request_id: request_id.to_owned(),
        }
    }
}

/// `queue_full` as "Queue full".
fn title(kind: &str) -> String {
    let mut title = kind.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// The chain of causes below `error`, or `None` where it has none.
fn causes(error: &dyn Error) -> Option<String> {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let separator = if text.is_empty() { "" } else { ": " };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{cause}");
        next = cause.source();
    }
    (!text.is_empty()).then_some(text)
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let problem = Self::new(error.status(), error.kind(), &error, error.advice());
        match error {
            RequestError::RangeNotSatisfiable { size_bytes } => {
                let value = HeaderValue::try_from(format!("bytes */{size_bytes}"));
                problem.with_header(header::CONTENT_RANGE, value.expect("digits are a header value"))
            }
            RequestError::TooManyConnections | RequestError::TooManyAtOnce { .. } => problem.retry_after(5),
            RequestError::TooManyWrongKeys { after_seconds }
            | RequestError::TooManyRequests { after_seconds, .. } => problem.retry_after(after_seconds),
            RequestError::ScopeMissing { .. } => challenged(problem, r#"Bearer error="insufficient_scope""#),
            RequestError::ApiKeyMissing => challenged(problem, "Bearer"),
            RequestError::ApiKeyUnknown => challenged(problem, r#"Bearer error="invalid_token""#),
            _ => problem,
        }
    }
}

/// Says how a client is to show who it is (RFC 6750, section 3).
fn challenged(problem: Problem, challenge: &'static str) -> Problem {
    problem.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

impl IntoResponse for Problem {
    /// Status, headers and the problem itself as an extension; `observe.rs` writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.headers.iter().cloned());
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
