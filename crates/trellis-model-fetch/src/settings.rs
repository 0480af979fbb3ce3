//! Which hub, as whom, and how hard to try.

use std::ffi::OsString;
use std::time::Duration;

use reqwest::Url;
use trellis_core::Secret;
use trellis_models::Places;

use crate::error::FetchError;
use crate::retry::RetryPolicy;
use crate::token;

/// The hub that is meant when none is named.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How to reach a hub.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its address; a mirror may have a path.
    pub endpoint: Url,
    /// Sent to the endpoint's own host only.
    pub token: Option<Secret>,
    /// Refuse before the first connection.
    pub offline: bool,
    /// Open requests at a time, over all files.
    pub connections: usize,
    /// A file is fetched and resumed in ranges of this size.
    pub range_bytes: u64,
    /// A connection that gives nothing for this long is taken for dead.
    pub read_timeout: Duration,
    /// Waits between attempts.
    pub retry: RetryPolicy,
}

impl Settings {
    /// The hub at `endpoint`, reached with the defaults.
    pub fn new(endpoint: &str) -> Result<Self, FetchError> {
        let url = Url::parse(endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let endpoint = url.ok_or_else(|| FetchError::BadEndpoint {
            text: endpoint.to_owned(),
        })?;
        Ok(Self {
            endpoint,
            token: None,
            offline: false,
            // More gains nothing on one line and looks like abuse to a hub.
            connections: 8,
            // 16 MiB: a cut loses little, and 3.3 GB are still only 210 requests.
            range_bytes: 16 << 20,
            read_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
        })
    }

    /// From the variables that the hub's own client reads; `endpoint` comes before `HF_ENDPOINT`.
    pub fn from_env(
        get: impl Fn(&str) -> Option<OsString>,
        endpoint: Option<&str>,
        places: &Places,
    ) -> Result<Self, FetchError> {
        let variable = get("HF_ENDPOINT").filter(|value| !value.is_empty());
        let variable = variable.map(|value| value.to_string_lossy().into_owned());
        let endpoint = endpoint.or(variable.as_deref()).unwrap_or(DEFAULT_ENDPOINT);
        let mut settings = Self::new(endpoint)?;
        settings.token = token::find(&get, &places.hub_home);
        settings.offline = get("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value));
        Ok(settings)
    }
}

/// The hub's client takes these, in any case, for true.
fn is_true(value: &OsString) -> bool {
    let value = value.to_string_lossy().to_uppercase();
    matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE")
}

#[cfg(test)]
mod tests {
    use trellis_core::Explain as _;

    use super::*;

    #[test]
    fn the_flag_comes_before_the_variable_and_the_variable_before_the_default() {
        let places = Places::under(std::path::Path::new("/nowhere"));
        let variable = |name: &str| match name {
            "HF_ENDPOINT" => Some(OsString::from("https://mirror.example/hf")),
            "HF_HUB_OFFLINE" => Some(OsString::from("yes")),
            _ => None,
        };
        let settings = Settings::from_env(variable, None, &places).unwrap();
        assert_eq!(settings.endpoint.as_str(), "https://mirror.example/hf");
        assert!(settings.offline);
        let settings = Settings::from_env(variable, Some("http://127.0.0.1:1"), &places).unwrap();
        assert_eq!(settings.endpoint.as_str(), "http://127.0.0.1:1/");
        let settings = Settings::from_env(|_| None, None, &places).unwrap();
        assert_eq!(settings.endpoint.as_str(), "https://huggingface.co/");
        assert!(!settings.offline);
        for bad in ["mirror.example", "file:///x", ""] {
            assert_eq!(Settings::new(bad).unwrap_err().kind(), "bad_endpoint", "{bad}");
        }
    }
}
