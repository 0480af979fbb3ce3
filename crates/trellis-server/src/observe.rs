//! Around every request: its id, its span, the body of a problem, and its line in the log, which `answered.rs` writes
//! once the answer has been sent.

use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument as _, error, field, info, info_span, warn};

use crate::AppState;
use crate::answered::{Line, LoggedBody};
use crate::peers::Peer;
use crate::problem::{self, Problem};
use crate::request_id::{REQUEST_ID, request_id};
use crate::scrape;
use crate::trace::traceparent;

/// What programs ask every few seconds, and nobody looks for in the log.
const ROUTINE: [&str; 6] = [
    "/health",
    "/health/ready",
    "/v1/health/live",
    "/v1/health/ready",
    scrape::PATH,
    scrape::NIM_PATH,
];

/// Middleware: takes the client's request id or makes one, and speaks for the request in the log.
pub(crate) async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers().get(&REQUEST_ID));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let method = known(request.method());
    let peer = Peer::of(&request);
    let client = state.trusted_proxies.client(peer.ip(), request.headers());
    let span = info_span!(
        "request",
        request = id.to_str().unwrap_or_default(),
        method = %request.method(),
        route,
        key = field::Empty,
        traceparent = traceparent(request.headers()).map(String::from),
    );
    let started = Instant::now();
    let mut line = Line::new(span.clone(), client);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let _in_span = span.enter();
        log_problem(&problem);
        response = with_body(response, &problem, &id);
    }
    let status = response.status();
    state
        .metrics
        .answered(method, route, status.as_u16(), started.elapsed());
    response.headers_mut().insert(REQUEST_ID, id);
    line.answered(status, status.is_success() && ROUTINE.contains(&route));
    let length = response.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    response.map(|body| Body::new(LoggedBody::new(body, length, line)))
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
        Method::PATCH,
    ];
    let names = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"];
    let known = methods.iter().zip(names).find(|(known, _)| *known == method);
    known.map_or("other", |(_, name)| name)
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
