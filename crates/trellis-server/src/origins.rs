//! Which sites' pages may use the server.
//!
//! Without a setting: none. A page of another site can then neither read an answer (no CORS headers)
//! nor change anything (a browser's cross-site `POST` or `DELETE` is refused, also the kind that needs
//! no CORS permission). Programs that are not browsers are not concerned.

use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::observe::REQUEST_ID;
use crate::request_error::RequestError;

/// The sites whose pages may use the server.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins {
    origins: Vec<(String, HeaderValue)>,
}

/// A text that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: `http://` or `https://`, a host and at most a port are expected")]
pub struct InvalidOrigin {
    /// What was given.
    pub text: String,
}

impl AllowedOrigins {
    /// The sites named by `origins`, such as `https://studio.example`.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidOrigin> {
        let checked = origins.into_iter().map(|origin| {
            let invalid = || InvalidOrigin { text: origin.to_owned() };
            let value = HeaderValue::try_from(origin).map_err(|_| invalid())?;
            CsrfLayer::new().add_trusted_origin(origin).map_err(|_| invalid())?;
            Ok((origin.to_owned(), value))
        });
        Ok(Self { origins: checked.collect::<Result<_, _>>()? })
    }

    /// Tells browsers which pages may read answers.
    pub(crate) fn reading(&self) -> CorsLayer {
        let origins = self.origins.iter().map(|(_, value)| value.clone());
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
            .allow_headers(AllowHeaders::list([
                header::CONTENT_TYPE,
                header::RANGE,
                header::IF_RANGE,
                header::IF_NONE_MATCH,
                HeaderName::from_static("idempotency-key"),
                HeaderName::from_static("last-event-id"),
                REQUEST_ID,
            ]))
            .expose_headers(ExposeHeaders::list([
                header::LOCATION,
                header::ETAG,
                header::CONTENT_RANGE,
                header::ACCEPT_RANGES,
                header::RETRY_AFTER,
                REQUEST_ID,
            ]))
    }

    /// Refuses changes that pages of other sites ask for.
    pub(crate) fn changing(&self) -> CsrfLayer<fn(ProtectionError) -> Response> {
        let layer = self.origins.iter().fold(CsrfLayer::new(), |layer, (origin, _)| {
            layer.add_trusted_origin(origin).expect("checked by `AllowedOrigins::new`")
        });
        layer.with_rejection_response(|_| RequestError::CrossOrigin.into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_a_scheme_of_the_web() {
        assert!(AllowedOrigins::new(["https://studio.example", "http://localhost:5173"]).is_ok());
        for bad in ["studio.example", "https://studio.example/app", "file:///x", "*", ""] {
            assert_eq!(AllowedOrigins::new([bad]).unwrap_err().text, bad);
        }
    }
}
