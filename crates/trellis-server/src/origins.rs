//! Which sites' pages may use the server.
//!
//! Without a setting: none. A page of another site can then neither read an answer (no CORS headers)
//! nor change anything (a browser's cross-site `POST` or `DELETE` is refused, also the kind that needs
//! no CORS permission). Programs that are not browsers are not concerned.

use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::request_error::RequestError;
use crate::request_id::REQUEST_ID;

/// Says where the mask of a picture comes from (`preprocess.rs`).
pub(crate) const MASK: HeaderName = HeaderName::from_static("trellis-mask");

/// The sites whose pages may use the server. The default: none.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins {
    reading: Option<AllowOrigin>,
    changing: CsrfLayer,
}

/// A text that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: `http://` or `https://`, a host and at most a port are expected")]
pub struct InvalidOrigin {
    /// What was given.
    pub text: String,
}

impl AllowedOrigins {
    /// The sites named by `origins`, such as `https://studio.example`; `*` means every site.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidOrigin> {
        let mut values = Vec::new();
        let mut changing = CsrfLayer::new();
        for origin in origins {
            if origin == "*" {
                return Ok(Self {
                    reading: Some(AllowOrigin::any()),
                    changing: CsrfLayer::new().with_insecure_bypass(|_, _| true),
                });
            }
            let invalid = || InvalidOrigin {
                text: origin.to_owned(),
            };
            // It would be taken, and then match nothing.
            if origin.contains('*') {
                return Err(invalid());
            }
            values.push(HeaderValue::try_from(origin).map_err(|_| invalid())?);
            changing = changing.add_trusted_origin(origin).map_err(|_| invalid())?;
        }
        let reading = (!values.is_empty()).then(|| AllowOrigin::list(values));
        Ok(Self { reading, changing })
    }

    /// Whether pages of other sites may read anything.
    pub(crate) fn any(&self) -> bool {
        self.reading.is_some()
    }

    /// Tells browsers which pages may read answers; `None` where none may.
    pub(crate) fn reading(&self) -> Option<CorsLayer> {
        let layer = CorsLayer::new()
            .allow_origin(self.reading.clone()?)
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::CACHE_CONTROL,
                header::RANGE,
                header::IF_RANGE,
                header::IF_MATCH,
                header::IF_NONE_MATCH,
                HeaderName::from_static("idempotency-key"),
                HeaderName::from_static("last-event-id"),
                HeaderName::from_static("traceparent"),
                REQUEST_ID,
            ])
            .expose_headers([
                header::LOCATION,
                header::ETAG,
                header::CONTENT_RANGE,
                header::ACCEPT_RANGES,
                header::RETRY_AFTER,
                MASK,
                REQUEST_ID,
            ]);
        Some(layer)
    }

    /// Refuses changes that pages of other sites ask for.
    pub(crate) fn changing(&self) -> CsrfLayer<fn(ProtectionError) -> Response> {
        let refuse: fn(ProtectionError) -> Response = |_| RequestError::CrossOrigin.into_response();
        self.changing.clone().with_rejection_response(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_a_scheme_of_the_web() {
        assert!(AllowedOrigins::new(["https://studio.example", "http://localhost:5173", "*"]).is_ok());
        for bad in [
            "studio.example",
            "https://studio.example/app",
            "file:///x",
            "https://*.example",
            "",
        ] {
            assert_eq!(AllowedOrigins::new([bad]).unwrap_err().text, bad);
        }
    }
}
