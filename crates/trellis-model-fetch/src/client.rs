//! Requests to a hub: the token for its own host only, waits and attempts, and each status as what it means.

use std::sync::Arc;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, RANGE};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::error::FetchError;
use crate::progress::Progress;
use crate::retry::Trouble;
use crate::settings::Settings;

/// A listing of TRELLIS's largest repository has 8 KiB.
const MAX_JSON_BYTES: usize = 16 << 20;

/// A hub, or any other HTTP server that files come from.
#[derive(Debug, Clone)]
pub struct Hub {
    http: Client,
    pub(crate) settings: Settings,
    /// One permit an open request.
    pub(crate) open: Arc<Semaphore>,
}

impl Hub {
    /// Opens no connection. An offline setting is an error here, before anything else happens.
    pub fn new(settings: Settings) -> Result<Self, FetchError> {
        if settings.offline {
            return Err(FetchError::Offline);
        }
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("trellis-server/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(std::time::Duration::from_secs(10))
            .read_timeout(settings.read_timeout)
            .redirect(redirect::Policy::custom(follow))
            .build()
            .map_err(|source| FetchError::Client { source })?;
        Ok(Self {
            http,
            open: Arc::new(Semaphore::new(settings.connections.max(1))),
            settings,
        })
    }

    /// One request; any status but a success is trouble. The caller holds a permit while it reads the body.
    pub(crate) async fn send(&self, url: &Url, range: Option<(u64, u64)>) -> Result<Response, Trouble> {
        // A range of a compressed form is a range of something else.
        let mut request = self.http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(token) = self.token_for(url) {
            request = request.bearer_auth(token);
        }
        if let Some((from, to)) = range {
            request = request.header(RANGE, format!("bytes={from}-{}", to.saturating_sub(1)));
        }
        // Signed addresses of content networks are secrets for a while: they stay out of messages.
        let response = request
            .send()
            .await
            .map_err(|e| Trouble::Transport(e.without_url()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Trouble::from_status(response.status(), response.headers()))
    }

    /// JSON from the hub, with the headers it came with.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        url: &Url,
        place: &str,
        progress: &dyn Progress,
    ) -> Result<(T, HeaderMap), FetchError> {
        let mut attempts = self.attempts(place, progress);
        loop {
            let trouble = match self.read_json(url, place).await {
                Ok(Ok((bytes, headers))) => {
                    let parsed = serde_json::from_slice(&bytes);
                    let value = parsed.map_err(|source| FetchError::Malformed {
                        place: place.to_owned(),
                        source,
                    })?;
                    return Ok((value, headers));
                }
                Ok(Err(trouble)) => trouble,
                Err(error) => return Err(error),
            };
            attempts.pause(trouble).await?;
        }
    }

    async fn read_json(
        &self,
        url: &Url,
        place: &str,
    ) -> Result<Result<(Vec<u8>, HeaderMap), Trouble>, FetchError> {
        let _permit = self.open.acquire().await;
        let mut response = match self.send(url, None).await {
            Ok(response) => response,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let media_type = media_type(response.headers());
        if !media_type.contains("json") {
            return Err(FetchError::NotAHub {
                place: place.to_owned(),
                media_type,
            });
        }
        let headers = response.headers().clone();
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(more)) if bytes.len() + more.len() <= MAX_JSON_BYTES => {
                    bytes.extend_from_slice(&more);
                }
                Ok(Some(_)) => {
                    let media_type = "an endless text".to_owned();
                    let place = place.to_owned();
                    return Err(FetchError::NotAHub { place, media_type });
                }
                Ok(None) => return Ok(Ok((bytes, headers))),
                Err(error) => return Ok(Err(Trouble::Transport(error.without_url()))),
            }
        }
    }

    fn token_for(&self, url: &Url) -> Option<&str> {
        let token = self.settings.token.as_ref()?;
        (url.origin() == self.settings.endpoint.origin()).then(|| token.reveal())
    }

    /// Counts failures of one thing that is fetched.
    pub(crate) fn attempts<'a>(&'a self, place: &'a str, progress: &'a dyn Progress) -> Attempts<'a> {
        Attempts {
            hub: self,
            place,
            progress,
            failures: 0,
        }
    }
}

/// Failures in a row.
pub(crate) struct Attempts<'a> {
    hub: &'a Hub,
    place: &'a str,
    progress: &'a dyn Progress,
    failures: u32,
}

impl Attempts<'_> {
    /// Waits before the next attempt, or says why there is none.
    pub(crate) async fn pause(&mut self, trouble: Trouble) -> Result<(), FetchError> {
        self.failures += 1;
        match self.hub.settings.retry.wait(self.failures, &trouble) {
            Some(wait) => {
                let why = format!("{} ({})", trouble.sentence(), self.place);
                self.progress.waiting(&why, wait);
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(self.give_up(trouble)),
        }
    }

    /// There was progress: what failed before does not count.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    fn give_up(&self, trouble: Trouble) -> FetchError {
        let place = self.place.to_owned();
        match trouble {
            Trouble::Transport(source) => FetchError::Unreachable { place, source },
            Trouble::Cut => FetchError::BrokenOff { place },
            Trouble::Status { status, after } => match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FetchError::Refused {
                    place,
                    status: status.as_u16(),
                    with_token: self.hub.settings.token.is_some(),
                },
                StatusCode::NOT_FOUND | StatusCode::GONE => FetchError::NotFound { place },
                StatusCode::TOO_MANY_REQUESTS => FetchError::RateLimited { place, after },
                _ => FetchError::ServerFault {
                    place,
                    status: status.as_u16(),
                },
            },
        }
    }
}

/// The answer's media type without parameters, or what to call its absence.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value
        .and_then(|text| text.split(';').next())
        .unwrap_or("no media type");
    media_type.trim().to_ascii_lowercase()
}

/// Follows ten redirects, but never from an encrypted connection to an open one.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let was_encrypted = attempt
        .previous()
        .last()
        .is_some_and(|url| url.scheme() == "https");
    if was_encrypted && attempt.url().scheme() != "https" {
        return attempt.error("it redirects from https to http");
    }
    if attempt.previous().len() > 10 {
        return attempt.error("it redirects in circles");
    }
    attempt.follow()
}
