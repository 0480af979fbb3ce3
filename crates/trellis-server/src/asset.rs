//! A file that is the same for everybody: sent compressed to those who take that, and not at all to those who have it.

use std::borrow::Cow;
use std::io::Write as _;

use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::conditions::{self, Condition};
use crate::request_error::RequestError;

/// Kept by browsers and asked after each time.
pub(crate) const ASKED_AFTER: &str = "no-cache";
/// Kept for good, as its name changes with its content.
pub(crate) const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The file.
pub(crate) struct Asset {
    media_type: &'static str,
    caching: &'static str,
    plain: Cow<'static, [u8]>,
    /// How it is compressed, and the bytes.
    small: Option<(&'static str, Cow<'static, [u8]>)>,
    /// The content's hash; each form of it has a tag of its own.
    hash: String,
}

impl Asset {
    /// A file of the program, with its form in brotli where there is one.
    pub(crate) fn carried(
        media_type: &'static str,
        caching: &'static str,
        plain: &'static [u8],
        brotli: Option<&'static [u8]>,
    ) -> Self {
        let small = brotli.map(|bytes| ("br", Cow::Borrowed(bytes)));
        Self::of(media_type, caching, Cow::Borrowed(plain), small)
    }

    /// A text that was made here. Compressing it costs milliseconds, once.
    pub(crate) fn made(media_type: &'static str, text: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder
            .write_all(text.as_bytes())
            .expect("writing to memory does not fail");
        let gzip = encoder.finish().expect("writing to memory does not fail");
        let small = ("gzip", Cow::Owned(gzip));
        Self::of(
            media_type,
            ASKED_AFTER,
            Cow::Owned(text.into_bytes()),
            Some(small),
        )
    }

    fn of(
        media_type: &'static str,
        caching: &'static str,
        plain: Cow<'static, [u8]>,
        small: Option<(&'static str, Cow<'static, [u8]>)>,
    ) -> Self {
        Self {
            hash: data_encoding::HEXLOWER.encode(&Sha256::digest(&plain)[..16]),
            media_type,
            caching,
            plain,
            small,
        }
    }

    /// The answer to a request for it.
    pub(crate) fn answer(&self, method: &Method, headers: &HeaderMap) -> Result<Response, RequestError> {
        let small = self.small.as_ref().filter(|(coding, _)| takes(headers, coding));
        let etag = match small {
            Some((coding, _)) => format!("\"{}-{coding}\"", self.hash),
            None => format!("\"{}\"", self.hash),
        };
        let common = [
            (header::ETAG, etag.clone()),
            (header::CACHE_CONTROL, self.caching.to_owned()),
            (header::VARY, "accept-encoding".to_owned()),
        ];
        if conditions::check(method, headers, Some(&etag))? == Condition::NotModified {
            return Ok((StatusCode::NOT_MODIFIED, common).into_response());
        }
        let kind = [(header::CONTENT_TYPE, self.media_type)];
        Ok(match small {
            Some((coding, bytes)) => {
                (common, kind, [(header::CONTENT_ENCODING, *coding)], bytes.clone()).into_response()
            }
            None => (common, kind, self.plain.clone()).into_response(),
        })
    }
}

/// Whether the client takes what is compressed so: it names it, and not with the weight 0.
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|named| {
            let (name, weight) = named.split_once(';').unwrap_or((named, "q=1"));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            name.trim().eq_ignore_ascii_case(coding) && weight.parse().is_ok_and(|weight: f32| weight > 0.0)
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn it_is_compressed_for_those_who_take_it() {
        for (value, taken) in [
            ("gzip, deflate, br", true),
            ("br;q=0.5", true),
            ("BR", true),
            ("gzip", false),
            ("br;q=0", false),
            ("brown", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(takes(&headers, "br"), taken, "{value}");
        }
        assert!(!takes(&HeaderMap::new(), "br"));
    }
}
