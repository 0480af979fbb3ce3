//! The page for people at `/`, and its files below `/ui/`, as `web/` built them (`build.rs` says which).
//!
//! Names below `/ui/` carry a hash of the content, so browsers keep them for good; the page itself is asked for again
//! each time, and answered with 304 while it is the same. Its policy lets a browser load from this server alone.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::Response;
use axum::routing::get;
use include_dir::{Dir, include_dir};

use crate::AppState;
use crate::asset::{ASKED_AFTER, Asset, FOR_GOOD};
use crate::request_error::RequestError;

static FILES: Dir<'static> = include_dir!("$TRELLIS_PAGE");

/// What the 3D viewer needs beyond the server's own files: textures are pictures and fetches of `blob:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Below this prefix are the page's files.
pub(crate) const PREFIX: &str = "/ui/";

/// All of them, by their path.
static ASSETS: LazyLock<BTreeMap<&'static str, Asset>> = LazyLock::new(|| {
    let folders = std::iter::once(&FILES).chain(FILES.dirs());
    let named = folders.flat_map(Dir::files).filter_map(|file| {
        let path = file.path().to_str()?;
        let caching = if path == "index.html" {
            ASKED_AFTER
        } else {
            FOR_GOOD
        };
        let brotli = FILES
            .get_file(format!("{path}.br"))
            .map(include_dir::File::contents);
        Some((
            path,
            Asset::carried(media_type(path)?, caching, file.contents(), brotli),
        ))
    });
    named.collect()
});

/// Its media type by its ending; none of what is not served by its own name.
fn media_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// The page and its files.
pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/", get(page)).route("/ui/{name}", get(file))
}

async fn page(method: Method, headers: HeaderMap) -> Result<Response, RequestError> {
    let mut response = ASSETS["index.html"].answer(&method, &headers)?;
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

async fn file(
    Path(name): Path<String>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let path = format!("{}{name}", PREFIX.trim_start_matches('/'));
    let Some(asset) = ASSETS.get(path.as_str()) else {
        let path = uri.path().chars().take(200).collect();
        return Err(RequestError::RouteNotFound { path });
    };
    asset.answer(&method, &headers)
}
