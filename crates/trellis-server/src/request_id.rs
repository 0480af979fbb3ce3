//! A request's id: the client's own or a new one, in the answer, in problems and in the log.

use axum::http::{HeaderName, HeaderValue};
use uuid::Uuid;

/// The header that carries a request's id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// More is cut off nowhere in practice, and keeps log lines readable.
const MAX_ID_LENGTH: usize = 128;

/// The client's id where it is short and plain, else a new one.
pub(crate) fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    match given {
        Some(id) if (1..=MAX_ID_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(plain) => id.clone(),
        _ => HeaderValue::try_from(Uuid::now_v7().to_string()).expect("a UUID is a header value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_kept_only_where_it_is_plain() {
        for good in ["a", "0198-abc.D_e", &"x".repeat(MAX_ID_LENGTH)] {
            let given = HeaderValue::try_from(good).unwrap();
            assert_eq!(request_id(Some(&given)), given);
        }
        for bad in ["", "a b", "a\u{e9}", "<script>", &"x".repeat(MAX_ID_LENGTH + 1)] {
            let given = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            assert_ne!(request_id(Some(&given)), given, "{bad}");
        }
        assert_ne!(request_id(None), request_id(None));
    }
}
