//! What is tried again, and after how long.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use trellis_core::Backoff;

/// How often and how fast.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Failures in a row, without progress between, before giving up.
    pub limit: u32,
    /// The waits between; a hub that asks for more than the longest is not waited for.
    pub waits: Backoff,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            limit: 6,
            waits: Backoff::new(Duration::from_millis(500), Duration::from_secs(120)),
        }
    }
}

/// A request that did not give what it should.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// No answer, or one that broke off.
    Transport(reqwest::Error),
    /// The body ended early without an error.
    Cut,
    /// An answer that is no success.
    Status {
        /// Its status.
        status: StatusCode,
        /// What `Retry-After` asks for.
        after: Option<Duration>,
    },
}

impl Trouble {
    pub(crate) fn from_status(status: StatusCode, headers: &HeaderMap) -> Self {
        let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Self::Status {
            status,
            after: after.and_then(|text| retry_after(text, Timestamp::now())),
        }
    }

    /// For people, while waiting.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Transport(error) if error.is_connect() => "the hub cannot be reached".to_owned(),
            Self::Transport(_) | Self::Cut => "the connection was lost".to_owned(),
            Self::Status { status, .. } => format!("the hub answered {status}"),
        }
    }

    fn is_passing(&self) -> bool {
        match self {
            Self::Transport(error) => !error.is_builder() && !error.is_redirect(),
            Self::Cut => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after `failures` failures in a row, this one included; `None` is giving up.
    pub(crate) fn wait(&self, failures: u32, trouble: &Trouble) -> Option<Duration> {
        if !trouble.is_passing() || failures > self.limit {
            return None;
        }
        let ours = self.waits.wait(failures, 1.0);
        match trouble {
            Trouble::Status {
                after: Some(after), ..
            } if *after > self.waits.longest() => None,
            Trouble::Status {
                after: Some(after), ..
            } => Some((*after).max(ours)),
            _ => Some(ours),
        }
    }
}

/// Seconds, or a date as HTTP writes it.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text.trim()).ok()?.timestamp();
    let wait = date.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, after: Option<u64>) -> Trouble {
        Trouble::Status {
            status: StatusCode::from_u16(code).unwrap(),
            after: after.map(Duration::from_secs),
        }
    }

    #[test]
    fn waits_double_are_bounded_and_end() {
        let policy = RetryPolicy {
            limit: 4,
            waits: Backoff::new(Duration::from_secs(1), Duration::from_secs(3)),
        };
        let waits = (1..=5).map(|n| policy.wait(n, &status(503, None)).map(|wait| wait.as_secs()));
        assert_eq!(
            waits.collect::<Vec<_>>(),
            [Some(1), Some(2), Some(3), Some(3), None]
        );
    }

    #[test]
    fn retry_after_is_obeyed_up_to_the_longest_wait() {
        let policy = RetryPolicy::default();
        let wait = |after| policy.wait(1, &status(429, Some(after)));
        assert_eq!(wait(30), Some(Duration::from_secs(30)));
        assert_eq!(wait(0), Some(Duration::from_millis(500)));
        assert_eq!(wait(3600), None);
    }

    #[test]
    fn what_will_not_change_is_not_tried_again() {
        for code in [400, 401, 403, 404, 410, 416, 501] {
            assert_eq!(
                RetryPolicy::default().wait(1, &status(code, None)),
                None,
                "{code}"
            );
        }
    }

    #[tokio::test]
    async fn who_cannot_be_reached_is_told_from_a_connection_that_was_lost() {
        // Nothing listens on port 1.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = client.get("http://127.0.0.1:1/").send().await.unwrap_err();
        assert_eq!(Trouble::Transport(error).sentence(), "the hub cannot be reached");
        assert_eq!(Trouble::Cut.sentence(), "the connection was lost");
    }

    #[test]
    fn reads_seconds_and_dates() {
        let now: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after("Tue, 24 Nov 2026 08:01:30 GMT", now),
            Some(Duration::from_secs(90))
        );
        assert_eq!(retry_after("soon", now), None);
    }
}
