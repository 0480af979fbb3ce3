//! What values a setting takes: read from text (flags, variables), checked in the settings file. Pure.

use toml::Value;
use tracing_subscriber::EnvFilter;
use trellis_core::{AskedBackend, Quality};
use trellis_gpu::GpuChoice;
use trellis_node::{listen_address, listen_endpoint};
use trellis_server::{AllowedHosts, AllowedOrigins, TrustedProxies};
use trellis_webhook::WebhookRules;

/// The kinds of values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number from `min` to `max`.
    Integer {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An IP address.
    Address,
    /// An IP address with a port, or nothing.
    Endpoint,
    /// A path, not empty.
    Path,
    /// A path, or nothing.
    PathOrNone,
    /// A file's path, or nothing.
    FileOrNone,
    /// The URL of a job store, or nothing.
    Store,
    /// A folder or the URL of storage, or nothing.
    Blobs,
    /// A Nix store path or a hash, or nothing.
    Closure,
    /// A program's name or path.
    Program,
    /// Yes or no.
    Switch,
    /// Which GPUs to use.
    Gpus,
    /// Directives of a log filter.
    LogFilter,
    /// A backend, or `auto`.
    Backend,
    /// How near to TRELLIS's own code.
    Quality,
    /// A list of web origins; as text with commas between them.
    Origins,
    /// A list of host names; as text with commas between them.
    Hosts,
    /// A list of addresses and networks; as text with commas between them.
    Proxies,
    /// A list of hosts, addresses and networks; as text with commas between them.
    Receivers,
}

impl Kind {
    /// Reads what a flag or variable gives. `None`: it is not of this kind.
    pub(crate) fn of_text(self, text: &str) -> Option<Value> {
        let value = match self {
            Self::Integer { .. } => Value::Integer(text.trim().replace('_', "").parse().ok()?),
            Self::Switch => Value::Boolean(text.trim().parse().ok()?),
            Self::Origins | Self::Hosts | Self::Proxies | Self::Receivers => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(Value::from).collect())
            }
            _ => Value::String(text.to_owned()),
        };
        self.allows(&value).then_some(value)
    }

    /// Whether a value is of this kind and in its range.
    pub(crate) fn allows(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Integer { min, max }, Value::Integer(number)) => {
                u64::try_from(*number).is_ok_and(|number| (min..=max).contains(&number))
            }
            (Self::Choice(words), Value::String(word)) => words.contains(&word.as_str()),
            (Self::Backend, Value::String(name)) => {
                AskedBackend::ALL.iter().any(|choice| choice.name() == name)
            }
            (Self::Quality, Value::String(name)) => name.parse::<Quality>().is_ok(),
            (Self::Address, Value::String(text)) => listen_address(text).is_some(),
            (Self::Endpoint, Value::String(text)) => text.is_empty() || listen_endpoint(text).is_some(),
            (Self::Path | Self::Program, Value::String(text)) => !text.is_empty(),
            (Self::PathOrNone | Self::FileOrNone | Self::Blobs, Value::String(_))
            | (Self::Switch, Value::Boolean(_)) => true,
            // Whether it is a good one is said without repeating it: it may hold a password.
            (Self::Store, Value::String(text)) => {
                text.is_empty() || text.starts_with("postgres://") || text.starts_with("postgresql://")
            }
            (Self::Closure, Value::String(text)) => {
                text.is_empty() || text.starts_with("/nix/store/") || text.starts_with("sha256-")
            }
            (Self::Gpus, Value::String(text)) => text.parse::<GpuChoice>().is_ok(),
            (Self::LogFilter, Value::String(text)) => {
                !text.trim().is_empty() && EnvFilter::try_new(text).is_ok()
            }
            (Self::Origins, Value::Array(origins)) => origins
                .iter()
                .all(|origin| origin.as_str().is_some_and(is_origin)),
            (Self::Hosts, Value::Array(hosts)) => hosts.iter().all(|host| host.as_str().is_some_and(is_host)),
            (Self::Proxies, Value::Array(proxies)) => {
                proxies.iter().all(|proxy| proxy.as_str().is_some_and(is_proxy))
            }
            (Self::Receivers, Value::Array(receivers)) => receivers
                .iter()
                .all(|receiver| receiver.as_str().is_some_and(is_receiver)),
            _ => false,
        }
    }

    /// What is allowed, for an error and for the reference.
    pub(crate) fn allowed(self) -> String {
        match self {
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Choice(words) => one_of(words),
            Self::Backend => one_of(&AskedBackend::ALL.map(AskedBackend::name)),
            Self::Quality => one_of(&Quality::ALL.map(Quality::name)),
            Self::Switch => one_of(&["true", "false"]),
            _ => self.words().1.to_owned(),
        }
    }

    /// The placeholder in help texts.
    pub(crate) fn placeholder(self) -> &'static str {
        self.words().0
    }

    /// The placeholder, and what is allowed where that does not depend on more than the kind.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Integer { .. } => ("NUMBER", ""),
            Self::Choice(_) | Self::Backend | Self::Quality => ("NAME", ""),
            Self::Address => (
                "ADDRESS",
                "an IP address such as `127.0.0.1` or `::1`, or `localhost`",
            ),
            Self::Endpoint => (
                "ADDRESS:PORT",
                "an IP address with a port such as `127.0.0.1:8001` or `[::1]:8001`",
            ),
            Self::Path | Self::PathOrNone => ("DIR", "a path"),
            Self::FileOrNone => ("FILE", "the path of a file"),
            Self::Store => ("URL", "a URL such as `postgres://trellis@db.example/trellis`"),
            Self::Blobs => ("PLACE", "a path, or a URL such as `s3://studio/trellis`"),
            Self::Closure => ("CLOSURE", "a Nix store path, or a hash such as `sha256-…`"),
            Self::Program => ("PROGRAM", "a program"),
            Self::Switch => ("BOOL", ""),
            Self::Gpus => ("GPUS", "`all`, or numbers and UUIDs such as `0,1`"),
            Self::LogFilter => (
                "LEVEL",
                "a level or directives such as `info,trellis_runner=debug`",
            ),
            Self::Origins => ("ORIGINS", "a list of origins such as `https://studio.example`"),
            Self::Proxies => (
                "PROXIES",
                "a list of addresses and networks such as `127.0.0.1` or `10.0.0.0/8`",
            ),
            Self::Receivers => (
                "HOSTS",
                "a list of hosts, addresses and networks such as `hooks.internal` or `10.1.0.0/16`",
            ),
            Self::Hosts => ("HOSTS", "a list of host names such as `studio.example`, or `*`"),
        }
    }
}

fn one_of(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    format!("one of {}", words.join(", "))
}

/// The server's own check, so that what passes here is what it takes.
fn is_origin(text: &str) -> bool {
    AllowedOrigins::new([text]).is_ok()
}

/// Likewise.
fn is_host(text: &str) -> bool {
    AllowedHosts::new(std::net::Ipv4Addr::LOCALHOST.into(), [text]).is_ok()
}

/// Likewise.
fn is_proxy(text: &str) -> bool {
    TrustedProxies::new([text]).is_ok()
}

/// Likewise.
fn is_receiver(text: &str) -> bool {
    WebhookRules::new([text]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_range() {
        let port = Kind::Integer { min: 0, max: 65_535 };
        assert_eq!(port.of_text("8_000"), Some(Value::Integer(8000)));
        for bad in ["", "x", "-1", "65536", "99999999999999999999", "1.5"] {
            assert_eq!(port.of_text(bad), None, "{bad}");
        }
        assert!(!port.allows(&Value::String("8000".into())));
    }

    #[test]
    fn switches_and_gpus_are_checked() {
        assert_eq!(Kind::Switch.of_text("true"), Some(Value::Boolean(true)));
        assert_eq!(Kind::Switch.of_text("yes"), None);
        assert!(Kind::Gpus.of_text("0,GPU-8f1c").is_some());
        assert!(Kind::Gpus.of_text("cuda:0").is_none());
        assert!(Kind::PathOrNone.of_text("").is_some() && Kind::Path.of_text("").is_none());
    }

    #[test]
    fn an_endpoint_has_a_port_and_may_be_left_out() {
        for good in ["", "127.0.0.1:8001", "localhost:0", "[::1]:8001"] {
            assert!(Kind::Endpoint.of_text(good).is_some(), "{good}");
        }
        for bad in ["127.0.0.1", "8001", ":8001", "studio.example:8001"] {
            assert_eq!(Kind::Endpoint.of_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn origins_end_after_the_host() {
        assert!(
            Kind::Origins
                .of_text("https://a.example, http://[::1]:8080")
                .is_some()
        );
        assert_eq!(Kind::Origins.of_text(""), Some(Value::Array(vec![])));
        assert_eq!(Kind::Origins.of_text("https://a.example/"), None);
        assert_eq!(Kind::Origins.of_text("a.example"), None);
        assert_eq!(Kind::Origins.of_text("https://a:b:c"), None);
    }

    #[test]
    fn hosts_have_no_scheme_and_no_port() {
        assert!(Kind::Hosts.of_text("studio.example, 10.0.0.7").is_some());
        assert!(Kind::Hosts.of_text("*").is_some());
        assert_eq!(Kind::Hosts.of_text("https://studio.example"), None);
        assert_eq!(Kind::Hosts.of_text("studio.example:443"), None);
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        assert!(Kind::Proxies.of_text("127.0.0.1, 10.0.0.0/8,::1").is_some());
        assert_eq!(Kind::Proxies.of_text("proxy.example"), None);
    }

    #[test]
    fn receivers_are_hosts_and_networks() {
        assert!(
            Kind::Receivers
                .of_text("hooks.internal, 10.0.0.0/8,::1")
                .is_some()
        );
        assert_eq!(Kind::Receivers.of_text("https://hooks.internal"), None);
        assert_eq!(Kind::Receivers.of_text("*"), None);
    }

    #[test]
    fn a_log_level_must_be_one() {
        assert!(Kind::LogFilter.of_text("info,trellis_runner=debug").is_some());
        assert!(Kind::LogFilter.of_text("trellis_runner=loud").is_none());
        assert!(Kind::LogFilter.of_text(" ").is_none());
    }
}
