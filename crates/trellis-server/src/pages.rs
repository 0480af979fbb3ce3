//! The pages for people: `/` (`landing.rs`), `/docs`, its style sheet, and `/openapi.json` for programs.
//!
//! Nothing is loaded from elsewhere, and the policy header makes browsers refuse to.

use axum::Router;
use axum::extract::State;
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

/// The contract as it is sent, and the page made of it.
pub(crate) struct Documents {
    contract: String,
    reference: String,
}

impl Documents {
    /// The documents of a server that takes `max_images` pictures a job.
    pub(crate) fn new(max_images: usize) -> Self {
        const PLAIN: &str = "a contract of plain types is JSON";
        let contract = openapi(max_images);
        Self {
            contract: contract.to_pretty_json().expect(PLAIN),
            reference: reference::page(&serde_json::to_value(contract).expect(PLAIN)),
        }
    }
}

/// The pages.
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(landing))
        .route("/openapi.json", get(contract))
        .route("/docs", get(docs))
        .route("/docs/style.css", get(style))
}

async fn contract(State(state): State<AppState>) -> Response {
    let contract = state.documents().contract.clone();
    ([(header::CONTENT_TYPE, "application/json")], contract).into_response()
}

async fn docs(State(state): State<AppState>) -> Response {
    page(state.documents().reference.clone())
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
