//! Sessions: a browser holds a cookie that this server signed in the place of an API key, because pictures, models and
//! event streams cannot send a header.
//!
//! ```text
//! cookie := "trellis_session=" TAG "." EXPIRY "." NAME
//! TAG    := Base64 (of URLs, unpadded) of HMAC-SHA-256(secret, digest of the key ‖ EXPIRY "." NAME)
//! EXPIRY := seconds since 1970 in UTC, NAME := the key's name
//! ```
//!
//! Nothing is kept of a session, so that a restart signs nobody out: the database keeps the one secret, and a session ends
//! with its key. Not here: the routes (`session.rs`).

use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use tokio::sync::OnceCell;
use trellis_core::{Secret, Sha256};
use trellis_jobs::{JobStore, StoreError};

use crate::keys::{Access, KeyRing};
use crate::request_error::RequestError;

/// The cookie's name.
pub(crate) const COOKIE: &str = "trellis_session";
/// How long a session lasts. Its key can end it before that.
pub(crate) const LASTS: Duration = Duration::from_secs(30 * 86_400);
/// Under which the database keeps the secret.
const MEMO: &str = "session_secret";

/// The secret of this server, once a session was begun or shown.
#[derive(Default)]
pub(crate) struct Sessions(OnceCell<[u8; 32]>);

impl Sessions {
    /// The cookie's value for a client that has just shown the key of that name.
    pub(crate) async fn begin(
        &self,
        store: &dyn JobStore,
        name: &str,
        key: &Secret,
    ) -> Result<String, StoreError> {
        let key = Sha256::of(key.reveal());
        Ok(made(self.secret(store).await?, &key, name, Timestamp::now()))
    }

    /// Whose session the cookie is.
    pub(crate) async fn of(
        &self,
        keys: &KeyRing,
        store: &dyn JobStore,
        cookie: &str,
    ) -> Result<Access, StoreError> {
        let secret = self.secret(store).await?;
        let name = cookie.splitn(3, '.').nth(2).unwrap_or_default();
        let now = Timestamp::now();
        Ok(keys.session(name, |key| holds(secret, key, cookie, now)))
    }

    async fn secret(&self, store: &dyn JobStore) -> Result<&[u8; 32], StoreError> {
        let kept = || async {
            let kept = store.memo(MEMO).await?;
            let kept = kept.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok());
            if let Some(secret) = kept {
                return Ok(secret);
            }
            let secret = rand::random();
            store.keep_memo(MEMO, &URL_SAFE_NO_PAD.encode(secret)).await?;
            Ok(secret)
        };
        self.0.get_or_try_init(kept).await
    }
}

/// The cookie's value of a session that begins `now`.
fn made(secret: &[u8; 32], key: &Sha256, name: &str, now: Timestamp) -> String {
    let rest = format!("{}.{name}", (now + LASTS).as_second());
    let tag = tag(secret, key, &rest).finalize();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(tag.into_bytes()))
}

/// Whether a session was begun with that key and has not ended.
fn holds(secret: &[u8; 32], key: &Sha256, cookie: &str, now: Timestamp) -> bool {
    let Some((sent, rest)) = cookie.split_once('.') else {
        return false;
    };
    let expiry = rest.split('.').next().unwrap_or_default().parse::<i64>();
    let Ok(sent) = URL_SAFE_NO_PAD.decode(sent) else {
        return false;
    };
    // The tag first: only what this server wrote is believed.
    tag(secret, key, rest).verify_slice(&sent).is_ok() && expiry.is_ok_and(|expiry| expiry > now.as_second())
}

fn tag(secret: &[u8; 32], key: &Sha256, rest: &str) -> Hmac<sha2::Sha256> {
    let mut tag = Hmac::new_from_slice(secret).expect("a key of any length");
    tag.update(key.as_bytes());
    tag.update(rest.as_bytes());
    tag
}

/// The session's cookie, where the request has exactly one: of two, a page of a neighbouring name may have set either.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let value = values.next()?.to_owned();
    values.next().is_none().then_some(value)
}

/// Whether the browser says that a page of this server sent the request, whatever other sites `listen.allowed_origins`
/// names. Pages of another port of this machine get the cookie sent too, which knows of no ports.
pub(crate) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => match (text("origin"), text("host")) {
            (Some(origin), Some(host)) => origin
                .split_once("://")
                .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host)),
            _ => false,
        },
    }
}

/// Refuses what a browser says another site's page sent. A program that is no browser says neither.
pub(crate) fn refuse_other_pages(headers: &HeaderMap) -> Result<(), RequestError> {
    let browser = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    if browser && !is_own(headers) {
        return Err(RequestError::SessionElsewhere);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter();
        lines
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_session_is_of_its_key_its_name_and_its_month() {
        let secret = [7; 32];
        let (key, other) = (Sha256::of("a-secret"), Sha256::of("another"));
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let cookie = made(&secret, &key, "studio.2", now);
        assert!(cookie.ends_with(".1802592000.studio.2"), "{cookie}");
        assert!(holds(&secret, &key, &cookie, now));
        let last = now + LASTS - Duration::from_secs(1);
        assert!(holds(&secret, &key, &cookie, last));
        assert!(!holds(&secret, &key, &cookie, now + LASTS), "it has ended");
        assert!(!holds(&secret, &other, &cookie, now), "the key was replaced");
        assert!(!holds(&[8; 32], &key, &cookie, now), "another server's");
        for forged in [
            cookie.replace("1802592000", "9999999999"),
            cookie.replace("studio.2", "studio.3"),
            cookie.replacen('.', "", 1),
            cookie.split_once('.').unwrap().1.to_owned(),
            format!(".{}", cookie.split_once('.').unwrap().1),
            format!("AAAA{}", &cookie[4..]),
            "..".to_owned(),
            String::new(),
        ] {
            assert!(!holds(&secret, &key, &forged, now), "{forged}");
        }
    }

    #[test]
    fn one_cookie_of_that_name_is_taken() {
        for (lines, expected) in [
            (&[("cookie", "a=b; trellis_session=x.y.z")][..], Some("x.y.z")),
            (&[("cookie", "a=b"), ("cookie", "trellis_session=x")], Some("x")),
            (&[("cookie", "trellis_session=x; trellis_session=y")], None),
            (
                &[("cookie", "trellis_session=x"), ("cookie", "trellis_session=x")],
                None,
            ),
            (&[("cookie", "trellis_session2=x; a=trellis_session=y")], None),
            (&[], None),
        ] {
            assert_eq!(cookie(&headers(lines)).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_a_page_of_this_server_is_its_own() {
        for (lines, own) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (
                &[
                    ("sec-fetch-site", "same-site"),
                    ("origin", "http://localhost:8000"),
                    ("host", "localhost:8000"),
                ],
                false,
            ),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (
                &[("origin", "https://Studio.example"), ("host", "studio.example")],
                true,
            ),
            (
                &[("origin", "http://localhost:9000"), ("host", "localhost:8000")],
                false,
            ),
            (&[("origin", "null"), ("host", "localhost:8000")], false),
            (&[("host", "localhost:8000")], false),
        ] {
            assert_eq!(is_own(&headers(lines)), own, "{lines:?}");
        }
    }
}
