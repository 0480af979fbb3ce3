//! The page at `/`: commands to copy, and which backends there are. Made for each request, as backends come
//! and go and clients reach the server under different names.

use std::fmt::Write as _;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use trellis_backend::{Backend, Readiness};

use crate::html::{escaped, page};
use crate::peers::Peer;
use crate::{AppState, Example};

const LANDING: &str = include_str!("../assets/landing.html");

/// The page at `/`.
pub(crate) async fn landing(State(state): State<AppState>, request: Request) -> Response {
    let encrypted = state
        .trusted_proxies
        .encrypted(Peer::of(&request), request.headers());
    let origin = origin(request.headers(), encrypted);
    let example = Example {
        address: &origin,
        socket: None,
        picture: "photo.png",
        output: "model.glb",
        key_variable: None,
    };
    let backends: String = state
        .registry
        .all()
        .iter()
        .map(|backend| row(backend.as_ref()))
        .collect();
    let text = LANDING
        .replace("{commands}", &escaped(&example.commands()))
        .replace("{backends}", &backends);
    page(text)
}

/// A backend's row of the table.
fn row(backend: &dyn Backend) -> String {
    let capabilities = backend.capabilities();
    let status = match backend.readiness() {
        Readiness::Ready => "ready".to_owned(),
        Readiness::Starting { reason } => format!("starting: {reason}"),
        Readiness::Unavailable { failure } => format!("not available: {}; {}", failure.message, failure.fix),
    };
    let formats: Vec<&str> = capabilities.formats.iter().map(|format| format.name()).collect();
    let mut row = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        row,
        "<tr><td><b>{}</b><td>{}<td>{}<td>{}",
        escaped(capabilities.name),
        escaped(capabilities.description),
        escaped(&status),
        escaped(&formats.join(", ")),
    );
    row
}

/// Where the client found the server, for commands to copy.
fn origin(headers: &HeaderMap, encrypted: bool) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    let host = host.filter(|host| !host.is_empty() && host.bytes().all(plain));
    let scheme = if encrypted { "https" } else { "http" };
    format!("{scheme}://{}", host.unwrap_or("127.0.0.1:8000"))
}
