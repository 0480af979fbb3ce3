//! HTTP by the book, around the routes: how long a request's head may be, and `OPTIONS`.
//!
//! Source: RFC 9110, sections 9.3.7, 15.5.6 and 15.5.15; RFC 6585, section 5. Not here: what is no HTTP at all,
//! which hyper answers without a body (docs/http.md).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::OpenApi;

use crate::request_error::RequestError;

/// The longest target, in bytes. The longest that means something here has about 200.
const MAX_TARGET: usize = 8 * 1024;
/// The most bytes of headers. Browsers send about 1,000, and keys and cookies come to it.
const MAX_HEADERS: usize = 32 * 1024;
/// Between a name and its value, and at the end of the line.
const MARKS: usize = 4;

/// Middleware, outermost but for the log: refuses heads that are too long, and answers for the server as a whole.
pub(crate) async fn head(request: Request, next: Next) -> Response {
    let target = request.uri();
    let length = target.path_and_query().map_or(0, |path| path.as_str().len())
        + target.authority().map_or(0, |authority| authority.as_str().len());
    if length > MAX_TARGET {
        return RequestError::TargetTooLong {
            limit_bytes: MAX_TARGET,
        }
        .into_response();
    }
    if size(request.headers()) > MAX_HEADERS {
        return RequestError::HeadersTooLarge {
            limit_bytes: MAX_HEADERS,
        }
        .into_response();
    }
    next.run(request).await
}

fn size(headers: &HeaderMap) -> usize {
    let lines = headers.iter();
    lines
        .map(|(name, value)| name.as_str().len() + value.len() + MARKS)
        .sum()
}

/// Middleware: what is about the server and none of its routes, `OPTIONS *` and a proxy's `CONNECT`.
pub(crate) async fn whole_server(request: Request, next: Next) -> Response {
    let all = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
    let target = request.uri();
    if request.method() == Method::OPTIONS && target.path() == "*" {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, all)]).into_response();
    }
    if request.method() == Method::CONNECT {
        let refused = RequestError::MethodNotAllowed {
            method: Method::CONNECT.to_string(),
            path: target.to_string().chars().take(200).collect(),
        };
        return ([(header::ALLOW, all)], refused).into_response();
    }
    next.run(request).await
}

/// The methods of each route of the contract; other routes are pages.
#[derive(Clone)]
pub(crate) struct Methods(Arc<HashMap<String, HeaderValue>>);

impl Methods {
    pub(crate) fn of(contract: &OpenApi) -> Self {
        let routes = contract.paths.paths.iter().map(|(path, item)| {
            let methods = [
                ("GET,HEAD,", item.get.is_some()),
                ("POST,", item.post.is_some()),
                ("PUT,", item.put.is_some()),
                ("PATCH,", item.patch.is_some()),
                ("DELETE,", item.delete.is_some()),
            ];
            let there = methods.iter().filter(|(_, there)| *there);
            let listed = there.map(|(methods, _)| *methods).collect::<String>() + "OPTIONS";
            (
                path.clone(),
                HeaderValue::try_from(listed).expect("methods are tokens"),
            )
        });
        Self(Arc::new(routes.collect()))
    }

    fn at(&self, route: &str) -> HeaderValue {
        let page = HeaderValue::from_static("GET,HEAD,OPTIONS");
        self.0.get(route).cloned().unwrap_or(page)
    }
}

/// Middleware, innermost: `OPTIONS` of every route, and `Allow` where a route does not take a method.
pub(crate) async fn route_options(State(methods): State<Methods>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let Some(allowed) = route.map(|route| methods.at(route.as_str())) else {
        return next.run(request).await;
    };
    if request.method() == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, allowed)]).into_response();
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
