//! Which addresses a webhook may have.
//!
//! What a name leads to is judged when it is resolved (`resolver.rs`); here a host that is an address itself, in
//! whatever notation: URLs know `2130706433` and `0x7f.1` for `127.0.0.1`.

use std::net::IpAddr;

use ipnet::IpNet;
use trellis_core::WebhookEvent;
use trellis_jobs::Webhook;
use url::{Host, Url};

use crate::public::is_public;

/// The longest address taken, bytes.
const LONGEST: usize = 2048;
/// What to do about one that cannot be used.
const ADDRESS: &str = "write it as `https://example.com/hook`, without a user name, a password or a fragment, in at most 2048 bytes";
/// What to do about events that cannot be used.
const EVENTS: &str = "name one event or more beside `webhook`, or leave it out to be told how the job ended";

trellis_core::explained! {
    /// Why a webhook is refused.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum WebhookError {
        #[error("this server has no webhooks")]
        Off = "webhooks_off", "leave out `webhook`, or have the server's operator set `webhooks.secret_file`";
        #[error("`webhook` has more than {LONGEST} bytes")]
        TooLong = "invalid_webhook", ADDRESS;
        #[error("`webhook` is not a URL: {reason}")]
        NotAUrl { reason: String } = "invalid_webhook", ADDRESS;
        #[error("`webhook` has the scheme `{scheme}`")]
        Scheme { scheme: String } = "invalid_webhook", ADDRESS;
        #[error("`webhook` has a user name or a password")]
        Userinfo = "invalid_webhook", ADDRESS;
        #[error("`webhook` has a fragment (`#`), which is never sent")]
        Fragment = "invalid_webhook", ADDRESS;
        #[error("`webhook` has the port 0")]
        Port = "invalid_webhook", ADDRESS;
        #[error("`webhook` is not encrypted")]
        NotEncrypted = "webhook_not_allowed",
            "use `https://`, or have the server's operator name the host in `webhooks.allow`";
        #[error("`webhook` leads to `{host}`, which is not a public address")]
        NotPublic { host: String } = "webhook_not_allowed",
            "use a public address, or have the server's operator name the host or its network in `webhooks.allow`";
        #[error("`webhook_events` is empty")]
        NoEvents = "invalid_webhook", EVENTS;
        #[error("`webhook_events` is given without `webhook`")]
        NoUrl = "invalid_webhook", EVENTS;
    }
}

/// What stands in `webhooks.allow` and is neither a host nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a host's name nor an address nor a network such as `10.0.0.0/8`")]
pub struct InvalidAllowed {
    /// What was given.
    pub text: String,
}

/// Which addresses a webhook may have: public ones by HTTPS, and those that the operator allows.
#[derive(Debug, Clone, Default)]
pub struct WebhookRules {
    hosts: Vec<String>,
    networks: Vec<IpNet>,
}

impl WebhookRules {
    /// `allowed`: hosts by their names, addresses and networks that are reached though they are not public, by HTTP too.
    pub fn new<'a>(allowed: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidAllowed> {
        let mut rules = Self::default();
        for text in allowed {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            if let Ok(network) = text.parse::<IpNet>().or(address) {
                rules.networks.push(network);
            } else if let Ok(Host::Domain(name)) = Host::parse(text)
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            {
                rules.hosts.push(plain(&name).to_owned());
            } else {
                let text = text.to_owned();
                return Err(InvalidAllowed { text });
            }
        }
        Ok(rules)
    }

    /// The webhook that a client asks for.
    pub fn webhook(&self, url: &str, events: Option<Vec<WebhookEvent>>) -> Result<Webhook, WebhookError> {
        let url = self.url(url)?;
        let mut events = events.unwrap_or(WebhookEvent::FINAL.to_vec());
        if events.is_empty() {
            return Err(WebhookError::NoEvents);
        }
        events.sort_unstable();
        events.dedup();
        let host = url.host_str().unwrap_or_default();
        let mut shown = url.clone();
        shown.set_query(None);
        Ok(Webhook {
            host: plain(host).to_owned(),
            shown: shown.into(),
            url: url.into(),
            events,
        })
    }

    /// The address, provided that it may be used as far as it shows by itself.
    pub(crate) fn url(&self, text: &str) -> Result<Url, WebhookError> {
        if text.len() > LONGEST {
            return Err(WebhookError::TooLong);
        }
        let url = Url::parse(text).map_err(|error| WebhookError::NotAUrl {
            reason: error.to_string(),
        })?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            other => {
                let scheme = other.chars().take(32).collect();
                return Err(WebhookError::Scheme { scheme });
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookError::Userinfo);
        }
        if url.fragment().is_some() {
            return Err(WebhookError::Fragment);
        }
        if url.port() == Some(0) {
            return Err(WebhookError::Port);
        }
        let allowed = match url.host() {
            Some(Host::Domain(name)) if self.allows_name(name) => true,
            // Loopback by definition (RFC 6761): nobody need ask.
            Some(Host::Domain(name)) if is_localhost(name) => return Err(not_public(name)),
            Some(Host::Domain(_)) | None => false,
            Some(Host::Ipv4(address)) => self.allows_literal(address.into())?,
            Some(Host::Ipv6(address)) => self.allows_literal(address.into())?,
        };
        if !encrypted && !allowed {
            return Err(WebhookError::NotEncrypted);
        }
        Ok(url)
    }

    /// Whether the operator names that host.
    pub(crate) fn allows_name(&self, name: &str) -> bool {
        self.hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(plain(name)))
    }

    /// Whether a connection to that address may be made.
    pub(crate) fn allows_address(&self, address: IpAddr) -> bool {
        is_public(address) || self.names_address(address)
    }

    fn names_address(&self, address: IpAddr) -> bool {
        let plain = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&plain))
    }

    /// Whether the operator names it; an error where it is not public either.
    fn allows_literal(&self, address: IpAddr) -> Result<bool, WebhookError> {
        match (self.names_address(address), is_public(address)) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => Err(not_public(&address.to_string())),
        }
    }
}

fn not_public(host: &str) -> WebhookError {
    WebhookError::NotPublic {
        host: host.chars().take(64).collect(),
    }
}

fn is_localhost(name: &str) -> bool {
    let name = plain(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Without the dot that a full name may end with.
fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use trellis_core::Explain as _;

    use super::*;

    fn judged(rules: &WebhookRules, url: &str) -> &'static str {
        let found = rules.webhook(url, None);
        found.map_or_else(|error| error.kind(), |_| "taken")
    }

    #[test]
    fn an_address_that_is_not_public_is_refused_in_every_notation() {
        let rules = WebhookRules::default();
        for url in [
            "https://127.0.0.1/hook",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://127.0.0.1./",
            "https://%31%32%37.0.0.1/",
            "https://①②⑦.0.0.1/",
            "https://0/",
            "https://10.0.0.8:8443/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[fe80::1]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "http://example.com/",
            "http://1.1.1.1/",
        ] {
            assert_eq!(judged(&rules, url), "webhook_not_allowed", "{url}");
        }
    }

    #[test]
    fn an_address_says_where_and_nothing_else() {
        let rules = WebhookRules::default();
        let long = format!("https://example.com/{}", "x".repeat(LONGEST));
        for url in [
            "",
            "example.com/hook",
            "//example.com",
            "https://",
            "https://[::1",
            "https://exa mple.com/",
            "https://example.com:65536/",
            "https://example.com:0/",
            "https://ada@example.com/",
            "https://ada:secret@example.com/",
            "https://:secret@example.com/",
            "https://example.com/#x",
            "ftp://example.com/",
            "file:///etc/passwd",
            "unix:/run/x.sock",
            "javascript:alert(1)",
            &long,
        ] {
            assert_eq!(judged(&rules, url), "invalid_webhook", "{url}");
        }
    }

    #[test]
    fn what_the_operator_names_is_reached_by_http_too() {
        let rules = WebhookRules::new([
            "127.0.0.1",
            "10.1.0.0/16",
            "fd00::/8",
            "Hooks.Internal",
            "localhost.",
        ])
        .unwrap();
        for url in [
            "http://127.0.0.1:9000/",
            "http://[::ffff:127.0.0.1]/",
            "http://10.1.2.3/",
            "http://[fd12::1]/",
            "https://hooks.internal/",
            "http://HOOKS.internal.:8080/",
            "http://localhost/",
            "https://example.com/",
        ] {
            assert_eq!(judged(&rules, url), "taken", "{url}");
        }
        for url in [
            "http://127.0.0.2/",
            "http://10.2.0.1/",
            "http://a.hooks.internal/",
            "http://example.com/",
        ] {
            assert_eq!(judged(&rules, url), "webhook_not_allowed", "{url}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "https://example.com",
            "a b",
            "example.com:80",
            "*",
        ] {
            let error = WebhookRules::new([text]).unwrap_err();
            assert_eq!(error.text, text);
        }
    }

    #[test]
    fn the_query_is_used_and_not_shown() {
        let rules = WebhookRules::default();
        let asked = Some(vec![
            WebhookEvent::Failed,
            WebhookEvent::Progress,
            WebhookEvent::Failed,
        ]);
        let webhook = rules
            .webhook("https://Example.COM.:443/a?token=s", asked)
            .unwrap();
        assert_eq!(webhook.url, "https://example.com./a?token=s");
        assert_eq!(
            (&*webhook.host, &*webhook.shown),
            ("example.com", "https://example.com./a")
        );
        assert_eq!(webhook.events, [WebhookEvent::Progress, WebhookEvent::Failed]);
        let none = rules.webhook("https://example.com", Some(Vec::new()));
        assert_eq!(none.unwrap_err(), WebhookError::NoEvents);
        let default = rules.webhook("https://example.com", None).unwrap();
        assert_eq!(default.events, WebhookEvent::FINAL);
    }
}
