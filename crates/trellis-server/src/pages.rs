//! The reference for people, `/docs` with its style sheet, and `/openapi.json` for programs. The page at `/` is in `ui.rs`.
//!
//! Nothing is loaded from elsewhere (`html.rs`).

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use utoipa::openapi::OpenApi;

use crate::html::page;
use crate::{AppState, reference};

const STYLE: &str = include_str!("../assets/style.css");

/// The contract as it is sent, and the page made of it.
struct Documents {
    contract: String,
    reference: String,
}

impl Documents {
    fn of(contract: OpenApi) -> Self {
        const PLAIN: &str = "a contract of plain types is JSON";
        Self {
            contract: contract.to_pretty_json().expect(PLAIN),
            reference: reference::page(&serde_json::to_value(contract).expect(PLAIN)),
        }
    }
}

/// The pages, of a contract that is made when it is first asked for.
pub(crate) fn routes(contract: impl FnOnce() -> OpenApi + Send + 'static) -> Router<AppState> {
    let documents = Arc::new(LazyLock::new(move || Documents::of(contract())));
    let of_reference = Arc::clone(&documents);
    Router::new()
        .route(
            "/openapi.json",
            get(async move || {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    documents.contract.clone(),
                )
            }),
        )
        .route("/docs", get(async move || page(of_reference.reference.clone())))
        .route("/docs/style.css", get(style))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}
