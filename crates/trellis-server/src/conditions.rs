//! `If-Match` and `If-None-Match` of something that exists (RFC 9110, section 13).
//!
//! `If-Unmodified-Since` and `If-Modified-Since` are ignored, as the RFC asks where there are no dates.

use axum::http::{HeaderMap, HeaderName, Method, header};

use crate::request_error::RequestError;

/// What the conditions of a request say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Go on.
    Holds,
    /// The client has it already.
    NotModified,
}

/// Whether a request has conditions at all.
pub(crate) fn are_there(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH)
}

/// What the conditions say of what `etag` stands for; without one, only `*` matches.
pub(crate) fn check(
    method: &Method,
    headers: &HeaderMap,
    etag: Option<&str>,
) -> Result<Condition, RequestError> {
    let same = |candidate: &str| candidate == "*" || Some(candidate) == etag;
    if headers.contains_key(header::IF_MATCH) && !any(headers, &header::IF_MATCH, same) {
        return Err(RequestError::PreconditionFailed { header: "If-Match" });
    }
    // Weak comparison: only whether the client needs it again.
    let known = |candidate: &str| same(candidate.strip_prefix("W/").unwrap_or(candidate));
    if !any(headers, &header::IF_NONE_MATCH, known) {
        return Ok(Condition::Holds);
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(Condition::NotModified);
    }
    Err(RequestError::PreconditionFailed {
        header: "If-None-Match",
    })
}

/// Whether one of a header's entity tags is such. Ours have no commas.
fn any(headers: &HeaderMap, name: &HeaderName, such: impl Fn(&str) -> bool) -> bool {
    let lists = headers.get_all(name).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|candidate| such(candidate.trim()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// 200, 304 or 412.
    fn of(method: &Method, name: HeaderName, value: &'static str, etag: Option<&str>) -> u16 {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        match check(method, &headers, etag) {
            Ok(Condition::Holds) => 200,
            Ok(Condition::NotModified) => 304,
            Err(error) => error.status().as_u16(),
        }
    }

    #[test]
    fn table() {
        const A: Option<&str> = Some("\"a\"");
        for (name, value, etag, get, delete) in [
            (header::IF_MATCH, "\"a\"", A, 200, 200),
            (header::IF_MATCH, "\"b\", \"a\"", A, 200, 200),
            (header::IF_MATCH, "*", A, 200, 200),
            (header::IF_MATCH, "*", None, 200, 200),
            (header::IF_MATCH, "W/\"a\"", A, 412, 412),
            (header::IF_MATCH, "\"b\"", A, 412, 412),
            (header::IF_MATCH, "a", A, 412, 412),
            (header::IF_MATCH, "", A, 412, 412),
            (header::IF_MATCH, "\"a\"", None, 412, 412),
            (header::IF_NONE_MATCH, "\"a\"", A, 304, 412),
            (header::IF_NONE_MATCH, "W/\"a\"", A, 304, 412),
            (header::IF_NONE_MATCH, "\"b\", \"a\"", A, 304, 412),
            (header::IF_NONE_MATCH, "*", A, 304, 412),
            (header::IF_NONE_MATCH, "*", None, 304, 412),
            (header::IF_NONE_MATCH, "\"b\"", A, 200, 200),
            (header::IF_NONE_MATCH, "\"a\"", None, 200, 200),
            (
                header::IF_UNMODIFIED_SINCE,
                "Tue, 24 Nov 2020 08:00:00 GMT",
                A,
                200,
                200,
            ),
        ] {
            let seen = [Method::GET, Method::DELETE].map(|method| of(&method, name.clone(), value, etag));
            assert_eq!(seen, [get, delete], "{name}: {value}");
        }
    }
}
