//! The page for people at `/`, and its files below `/ui/`, as `web/` built them (`build.rs` says which).
//!
//! Names below `/ui/` carry a hash of the content, so browsers keep them for good; the page itself is asked for again
//! each time, and answered with 304 while it is the same. Its policy lets a browser load from this server alone.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

use crate::AppState;
use crate::conditions::{self, Condition};
use crate::request_error::RequestError;

static FILES: Dir<'static> = include_dir!("$TRELLIS_PAGE");

/// What the 3D viewer needs beyond the server's own files: textures are pictures and fetches of `blob:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Below this prefix are the page's files.
pub(crate) const PREFIX: &str = "/ui/";

/// A file of the page.
struct Asset {
    media_type: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    /// The content's hash, without quotes; each form of the content has a tag of its own.
    hash: String,
}

/// All of them, by their path.
static ASSETS: LazyLock<BTreeMap<&'static str, Asset>> = LazyLock::new(|| {
    let mut assets = BTreeMap::new();
    let folders = std::iter::once(&FILES).chain(FILES.dirs());
    for file in folders.flat_map(Dir::files) {
        let Some(path) = file.path().to_str() else {
            continue;
        };
        let Some(media_type) = media_type(path) else {
            continue;
        };
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(file.contents())[..16]);
        assets.insert(
            path,
            Asset {
                media_type,
                plain: file.contents(),
                brotli: FILES
                    .get_file(format!("{path}.br"))
                    .map(include_dir::File::contents),
                hash,
            },
        );
    }
    assets
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
    let asset = &ASSETS["index.html"];
    let mut response = answer(asset, "no-cache", &method, &headers)?;
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        header::HeaderValue::from_static(POLICY),
    );
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
    answer(asset, "public, max-age=31536000, immutable", &method, &headers)
}

fn answer(
    asset: &Asset,
    caching: &'static str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, RequestError> {
    let brotli = asset.brotli.filter(|_| takes_brotli(headers));
    let etag = match brotli {
        Some(_) => format!("\"{}-br\"", asset.hash),
        None => format!("\"{}\"", asset.hash),
    };
    let common = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    if conditions::check(method, headers, Some(&etag))? == Condition::NotModified {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let kind = [(header::CONTENT_TYPE, asset.media_type)];
    Ok(match brotli {
        Some(bytes) => (common, kind, [(header::CONTENT_ENCODING, "br")], bytes).into_response(),
        None => (common, kind, asset.plain).into_response(),
    })
}

/// Whether the client takes brotli: it names it, and not with the weight 0.
fn takes_brotli(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            name.trim().eq_ignore_ascii_case("br") && weight.parse().is_ok_and(|weight: f32| weight > 0.0)
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn brotli_is_sent_to_those_who_take_it() {
        for (value, takes) in [
            ("gzip, deflate, br", true),
            ("br;q=0.5", true),
            ("BR", true),
            ("gzip", false),
            ("br;q=0", false),
            ("brown", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(takes_brotli(&headers), takes, "{value}");
        }
        assert!(!takes_brotli(&HeaderMap::new()));
    }
}
