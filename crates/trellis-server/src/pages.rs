//! The pages for people: `/`, `/docs`, its style sheet, and `/openapi.json` for programs.
//!
//! Nothing is loaded from elsewhere, and the policy header makes browsers refuse to.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::reference;
use crate::{AppState, openapi};

const STYLE: &str = include_str!("../assets/style.css");
const LANDING: &str = include_str!("../assets/landing.html");

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

async fn landing(headers: HeaderMap) -> Response {
    page(LANDING.replace("{origin}", &origin(&headers)))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

fn page(html: String) -> Response {
    ([POLICY], Html(html)).into_response()
}

/// Where the client found the server, for commands to copy.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    let host = host.filter(|host| !host.is_empty() && host.bytes().all(plain));
    format!("http://{}", host.unwrap_or("127.0.0.1:8000"))
}
