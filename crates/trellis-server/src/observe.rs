//! Around every request: its id, its span, its one line in the log, and the body of a problem.

use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument as _, error, field, info, info_span, warn};
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::problem::{self, Problem};

/// The header that carries a request's id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// More is cut off nowhere in practice, and keeps log lines readable.
const MAX_ID_LENGTH: usize = 128;

/// Middleware: takes the client's request id or makes one, and speaks for the request in the log.
pub(crate) async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers().get(&REQUEST_ID));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let method = known(request.method());
    let span = info_span!(
        "request",
        request = id.to_str().unwrap_or_default(),
        method = %request.method(),
        route,
        key = field::Empty,
    );
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let _in_span = span.entered();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        log_problem(&problem);
        response = with_body(response, &problem, &id);
    }
    let took = started.elapsed();
    metrics.answered(method, route, response.status().as_u16(), took);
    let latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    info!(status = response.status().as_u16(), latency_ms, "answered");
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// A client may invent methods, and each would be a figure of its own.
fn known(method: &Method) -> &'static str {
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::DELETE,
        Method::OPTIONS,
        Method::PUT,
    ];
    let names = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT"];
    let known = methods.iter().zip(names).find(|(known, _)| *known == method);
    known.map_or("other", |(_, name)| name)
}

/// The client's id where it is short and plain, else a new one.
fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    match given {
        Some(id) if (1..=MAX_ID_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(plain) => id.clone(),
        _ => HeaderValue::try_from(Uuid::now_v7().to_string()).expect("a UUID is a header value"),
    }
}

/// One line for each failure: error where somebody must act, warn where the client may try again.
fn log_problem(problem: &Problem) {
    let Problem {
        status,
        kind,
        detail,
        cause,
        ..
    } = problem;
    let cause = cause.as_deref().unwrap_or_default();
    if !status.is_server_error() {
        info!(kind, detail, cause, "request refused");
    } else if status.as_u16() == 503 {
        warn!(kind, detail, cause, "request turned away");
    } else {
        error!(kind, detail, cause, "request failed");
    }
}

/// The problem's JSON in place of the empty body; headers that were set stay.
fn with_body(response: Response, problem: &Problem, id: &HeaderValue) -> Response {
    let (mut parts, _) = response.into_parts();
    let body = Json(problem.body(id.to_str().unwrap_or_default()))
        .into_response()
        .into_body();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(problem::MEDIA_TYPE),
    );
    parts
        .headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_kept_only_where_it_is_plain() {
        for good in ["a", "0198-abc.D_e", &"x".repeat(MAX_ID_LENGTH)] {
            let given = HeaderValue::try_from(good).unwrap();
            assert_eq!(request_id(Some(&given)), given);
        }
        for bad in ["", "a b", "a\u{e9}", "<script>", &"x".repeat(MAX_ID_LENGTH + 1)] {
            let given = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            assert_ne!(request_id(Some(&given)), given, "{bad}");
        }
        assert_ne!(request_id(None), request_id(None));
    }
}
