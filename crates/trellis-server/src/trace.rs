//! Which trace a request belongs to (W3C Trace Context). An unusable `traceparent` counts as none, as its section 4.3
//! asks for; `tracestate` is nobody's here and is not kept.

use axum::http::HeaderMap;
use trellis_core::TraceParent;

const TRACEPARENT: &str = "traceparent";

/// The one `traceparent` of a request.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?.to_str().ok()?.parse().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn one_that_is_repeated_or_odd_counts_as_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of = |values: &[&[u8]]| {
            let values = values.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
            traceparent(
                &values
                    .map(|value| (TRACEPARENT.parse().unwrap(), value))
                    .collect(),
            )
        };
        assert_eq!(of(&[good.as_bytes()]).map(String::from).as_deref(), Some(good));
        for bad in [
            &[][..],
            &[good.as_bytes(), good.as_bytes()],
            &[b"00"],
            &[b"\xff\xfe"],
            &[b""],
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}
