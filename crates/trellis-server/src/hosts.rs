//! By which names the server may be addressed.
//!
//! A page of another site can give its own name the address of this server (DNS rebinding). The browser then takes
//! server and page for the same site, and no rule about origins holds. What still tells them apart is the `Host`
//! header: it carries the name that the page has. Addresses cannot be rebound, so they need no setting.
//! Source: RFC 9110, sections 7.2 and 15.5.20; RFC 9112, section 3.2.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::request_error::RequestError;

/// The names by which the server may be addressed, besides its own.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts {
    every: bool,
    names: Vec<String>,
    /// Whether the server is reached by other addresses than the loopback ones.
    beyond_loopback: bool,
}

/// A text that is not the name of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a host: a name or an address without scheme, port and path is expected, or `*`")]
pub struct InvalidHost {
    /// What was given.
    pub text: String,
}

impl AllowedHosts {
    /// `names` such as `studio.example`; `*` means every one. `bound` is the address that the server listens on:
    /// beyond the loopback address, every address is one by which it may be reached.
    pub fn new<'a>(bound: IpAddr, names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidHost> {
        let mut hosts = Self {
            beyond_loopback: !bound.is_loopback(),
            ..Self::default()
        };
        for name in names {
            match host(name) {
                _ if name == "*" => hosts.every = true,
                Some(host) if port(name).is_none() => hosts.names.push(host),
                _ => {
                    return Err(InvalidHost {
                        text: name.to_owned(),
                    });
                }
            }
        }
        Ok(hosts)
    }

    /// Whether a request to this authority is meant for this server.
    fn allow(&self, authority: &str) -> bool {
        let Some(host) = host(authority) else {
            return false;
        };
        if self.every || self.names.contains(&host) {
            return true;
        }
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.beyond_loopback || address.to_canonical().is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }
}

/// Middleware: refuses requests that are addressed to somebody else.
pub(crate) async fn addressed(State(allowed): State<AllowedHosts>, request: Request, next: Next) -> Response {
    match misdirected(&allowed, &request) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    }
}

fn misdirected(allowed: &AllowedHosts, request: &Request) -> Option<RequestError> {
    // Probes of load balancers speak HTTP/1.0, which has no such header; browsers never do.
    if request.version() == Version::HTTP_10 && !request.headers().contains_key(header::HOST) {
        return None;
    }
    let Some(named) = host_header(request.headers()).filter(|named| host(named).is_some()) else {
        return Some(RequestError::HostMissing);
    };
    // The target may be a whole URL, whose authority then counts more than the header.
    let target = request.uri().authority().map(Authority::as_str);
    let other = target
        .into_iter()
        .chain([named])
        .find(|authority| !allowed.allow(authority))?;
    Some(RequestError::HostNotAllowed {
        host: other.chars().take(200).collect(),
    })
}

/// The one `Host` header.
fn host_header(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::HOST).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The host of an authority, in lower case, without the dot that ends a full name.
fn host(authority: &str) -> Option<String> {
    let parsed = authority.parse::<Authority>().ok()?;
    if authority.contains('@') {
        return None;
    }
    let port = &authority[parsed.host().len()..];
    if !port
        .trim_start_matches(':')
        .bytes()
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let host = parsed.host().to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    (!host.is_empty()).then(|| host.to_owned())
}

fn port(authority: &str) -> Option<u16> {
    authority.parse::<Authority>().ok()?.port_u16()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_another_site_is_never_ours() {
        let bound = |text: &str, names: &[&str]| {
            AllowedHosts::new(text.parse().unwrap(), names.iter().copied()).unwrap()
        };
        let loopback = bound("127.0.0.1", &[]);
        let open = bound("0.0.0.0", &["Studio.Example"]);
        for (host, on_loopback, in_network) in [
            ("localhost", true, true),
            ("LocalHost:8000", true, true),
            ("localhost.", true, true),
            ("trellis.localhost:8000", true, true),
            ("127.0.0.1:8000", true, true),
            ("127.9.9.9", true, true),
            ("[::1]:8000", true, true),
            ("[::ffff:127.0.0.1]", true, true),
            ("192.168.1.5:8000", false, true),
            ("[2001:db8::1]", false, true),
            ("studio.example:443", false, true),
            ("evil.example", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("evil.example@127.0.0.1", false, false),
            ("127.0.0.1@evil.example", false, false),
            ("", false, false),
            (":8000", false, false),
            ("a b", false, false),
        ] {
            assert_eq!(
                loopback.allow(host),
                on_loopback,
                "{host} on the loopback address"
            );
            assert_eq!(open.allow(host), in_network, "{host} in a network");
        }
        assert!(bound("127.0.0.1", &["*"]).allow("evil.example"));
    }

    #[test]
    fn a_setting_is_a_host_and_nothing_more() {
        let new = |name| AllowedHosts::new(IpAddr::from([127, 0, 0, 1]), [name]);
        for good in ["studio.example", "10.0.0.7", "[::1]", "*"] {
            assert!(new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://studio.example",
            "studio.example:443",
            "studio.example:https",
            "a/b",
            "me@studio.example",
        ] {
            assert_eq!(new(bad).unwrap_err().text, bad);
        }
    }
}
