//! The pages for people: `/` (`landing.rs`), `/docs`, its style sheet, and `/openapi.json` for programs.
//!
//! Nothing is loaded from elsewhere, and the policy header makes browsers refuse to.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::landing::landing;
use crate::{AppState, openapi, reference};

const STYLE: &str = include_str!("../assets/style.css");

const POLICY: (HeaderName, HeaderValue) = (
    header::CONTENT_SECURITY_POLICY,
    HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
);

/// The contract as it is sent, made once.
static CONTRACT: LazyLock<String> = LazyLock::new(|| {
    openapi()
        .to_pretty_json()
        .expect("a contract of plain types is JSON")
});

static REFERENCE: LazyLock<String> = LazyLock::new(|| {
    reference::page(&serde_json::to_value(openapi()).expect("a contract of plain types is JSON"))
});

/// The pages.
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(landing))
        .route("/openapi.json", get(contract))
        .route("/docs", get(|| async { page(REFERENCE.clone()) }))
        .route("/docs/style.css", get(style))
}

async fn contract() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], CONTRACT.as_str()).into_response()
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// A page with the policy.
pub(crate) fn page(html: String) -> Response {
    ([POLICY], Html(html)).into_response()
}

/// Text as HTML shows it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
