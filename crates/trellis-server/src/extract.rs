//! axum's extractors with problems for rejections.

use axum::extract::{FromRequestParts, Path, Query, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use trellis_core::{JobId, plain_words};
use trellis_jobs::Owner;

use crate::request_error::RequestError;

/// Whose jobs the request may touch, as `authorize.rs` found.
pub(crate) struct Caller(pub(crate) Owner);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, RequestError> {
        // Without one the route is open to requests that nobody looked at.
        let owner = parts.extensions.get::<Owner>().cloned();
        owner.map(Self).ok_or(RequestError::ApiKeyMissing)
    }
}

/// The variable parts of the path.
pub(crate) struct PathParts<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for PathParts<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RequestError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(match unparsed_id(parts, state).await {
                Some(error) => error,
                None => RequestError::InvalidPath {
                    reason: reason(&rejection.body_text()),
                },
            }),
        }
    }
}

/// What is wrong with `{id}`, if that is what is wrong with the path.
async fn unparsed_id<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<RequestError> {
    let parameters = RawPathParams::from_request_parts(parts, state).await.ok()?;
    let (_, id) = parameters.iter().find(|(name, _)| *name == "id")?;
    id.parse::<JobId>().err().map(RequestError::from)
}

/// The parameters after `?`.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for QueryOf<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RequestError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(RequestError::InvalidQuery {
                reason: reason(&rejection.body_text()),
            }),
        }
    }
}

/// What axum says ("Failed to deserialize query string: limit: invalid digit found in string"), without the
/// words of its libraries.
fn reason(text: &str) -> String {
    let what = ["Failed to deserialize query string: ", "Invalid URL: "]
        .iter()
        .find_map(|opening| text.strip_prefix(opening))
        .unwrap_or(text);
    match what.split_once(": ") {
        Some((field, what))
            if field
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
        {
            format!("`{field}`: {}", plain_words(what))
        }
        _ => plain_words(what),
    }
}

/// The one value of a header that has `check`ed text, or `None` where it is absent.
pub(crate) fn single_header<T>(
    headers: &HeaderMap,
    name: &'static str,
    expected: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, RequestError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let read = value
        .to_str()
        .ok()
        .filter(|_| values.next().is_none())
        .and_then(read);
    read.map(Some)
        .ok_or(RequestError::InvalidHeader { name, expected })
}
