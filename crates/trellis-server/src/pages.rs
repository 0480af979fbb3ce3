//! The reference for people, `/docs` with its style sheet, and `/openapi.json` for programs. The page at `/` is in `ui.rs`.
//!
//! Nothing is loaded from elsewhere (`html.rs`).

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use utoipa::openapi::OpenApi;

use crate::asset::Asset;
use crate::html::with_policy;
use crate::{AppState, reference};

const STYLE: &str = include_str!("../assets/style.css");

/// The contract as it is sent, and the page made of it.
struct Documents {
    contract: Asset,
    reference: Asset,
}

impl Documents {
    fn of(contract: OpenApi) -> Self {
        const PLAIN: &str = "a contract of plain types is JSON";
        let text = contract.to_pretty_json().expect(PLAIN);
        let page = reference::page(&serde_json::to_value(contract).expect(PLAIN));
        Self {
            contract: Asset::made("application/json", text),
            reference: Asset::made("text/html; charset=utf-8", page),
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
            get(async move |method: Method, headers: HeaderMap| documents.contract.answer(&method, &headers)),
        )
        .route(
            "/docs",
            get(async move |method: Method, headers: HeaderMap| {
                of_reference.reference.answer(&method, &headers).map(with_policy)
            }),
        )
        .route("/docs/style.css", get(style))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}
