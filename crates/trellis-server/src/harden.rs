//! The headers that every answer has, so that browsers make nothing of it but what it is.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::origins::AllowedOrigins;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What they are, in a form that can be written without a library too: media types are not guessed, no other site
/// learns an address of ours, puts an answer into a frame or holds on to a window of ours, and what is not a page
/// of ours does nothing.
pub(crate) const HARDENED: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (OPENER_POLICY, "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
];

/// Which pages may load answers without asking, as `<img>` does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shared {
    /// The server's own.
    Nobody,
    /// Those of other sites too: browsers have no finer word for it, and tell them nothing without CORS.
    Sites,
}

impl Shared {
    pub(crate) fn with(origins: &AllowedOrigins) -> Self {
        if origins.any() { Self::Sites } else { Self::Nobody }
    }
}

/// Middleware: adds them where a handler has not said otherwise. What is not said to be kept is not kept.
pub(crate) async fn harden(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let resource_policy = match shared {
        Shared::Nobody => "same-origin",
        Shared::Sites => "cross-origin",
    };
    let common = [
        (RESOURCE_POLICY, resource_policy),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in HARDENED.into_iter().chain(common) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
