//! Where a request comes from when proxies are in between: the proxies that the operator trusts say so in
//! `X-Forwarded-For`, nearest last. What anybody else writes there counts for nothing. Who reaches the Unix socket
//! was let in by its mode and is trusted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue};

use crate::peers::Peer;

/// Set by every common proxy; the `Forwarded` of RFC 7239 is set by few.
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The proxies whose word counts. The default: none.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<Network>);

/// All addresses that have the first `bits` bits of `address`.
#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no address of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither an address nor a network such as `10.0.0.0/8`")]
pub struct InvalidProxy {
    /// What was given.
    pub text: String,
}

impl TrustedProxies {
    /// The proxies at these addresses and in these networks.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidProxy> {
        let networks = texts.into_iter().map(|text| {
            Network::parse(text).ok_or_else(|| InvalidProxy {
                text: text.to_owned(),
            })
        });
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// The client of a request that came from `peer`, `None` over the Unix socket. `0.0.0.0` where nobody knows.
    pub(crate) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut named = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()).to_canonical();
        let mut trusted = peer.is_none();
        while trusted || self.trusts(client) {
            trusted = false;
            // A proxy that writes something else is as far as anybody can see.
            let Some(before) = named.next().and_then(|text| address(text.trim())) else {
                break;
            };
            client = before.to_canonical();
        }
        client
    }

    /// Whether the client's own connection is encrypted: by this server, or as its proxy says in `X-Forwarded-Proto`.
    pub(crate) fn encrypted(&self, peer: Peer, headers: &HeaderMap) -> bool {
        let proxy = peer.ip().is_none_or(|ip| self.trusts(ip.to_canonical()));
        let told = headers.get(FORWARDED_PROTO).map(HeaderValue::as_bytes);
        peer.encrypted || (proxy && told.is_some_and(|told| told.eq_ignore_ascii_case(b"https")))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        (bits <= all).then_some(Self { address, bits })
    }

    fn has(self, other: IpAddr) -> bool {
        let differ = match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        differ >= self.bits.into()
    }
}

/// Some proxies write the port as well.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    bare.unwrap_or(text).parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = TrustedProxies::new(["127.0.0.1", "10.0.0.0/8", "fd00::/8"]).unwrap();
        for (peer, lines, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // What the client wrote itself stands before what the proxy added.
            ("127.0.0.1", &["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            (
                "127.0.0.1",
                &["192.0.2.1, 198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            ("127.0.0.1", &["192.0.2.1", "198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["10.0.0.2"], "10.0.0.2"),
            ("127.0.0.1", &["198.51.100.1, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("fd00::7", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("11.0.0.1", &["198.51.100.1"], "11.0.0.1"),
        ] {
            let lines = lines.iter().map(|line| {
                let value = HeaderValue::from_static(line);
                (FORWARDED_FOR.parse().unwrap(), value)
            });
            let headers: HeaderMap = lines.collect();
            let client = trusted.client(peer.parse().ok(), &headers);
            assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{peer} {headers:?}");
            let alone = TrustedProxies::default().client(peer.parse().ok(), &headers);
            assert_eq!(alone, peer.parse::<IpAddr>().unwrap().to_canonical());
        }
    }

    /// Whoever may open the socket could as well be the proxy.
    #[test]
    fn who_comes_over_the_unix_socket_is_believed() {
        for (proxies, line, expected) in [
            (&[][..], None, "0.0.0.0"),
            (&[], Some("198.51.100.1"), "198.51.100.1"),
            (&[], Some("192.0.2.1, 198.51.100.1"), "198.51.100.1"),
            (&["10.0.0.0/8"], Some("198.51.100.1, 10.0.0.2"), "198.51.100.1"),
            (&[], Some("unknown"), "0.0.0.0"),
        ] {
            let trusted = TrustedProxies::new(proxies.iter().copied()).unwrap();
            let lines = line.map(|line| (FORWARDED_FOR.parse().unwrap(), HeaderValue::from_static(line)));
            let client = trusted.client(None, &lines.into_iter().collect());
            assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{line:?}");
        }
    }

    #[test]
    fn only_trusted_proxies_say_that_the_client_uses_tls() {
        let trusted = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
        for (address, encrypted, proto, expected) in [
            (Some("203.0.113.9:1"), false, Some("https"), false),
            (Some("203.0.113.9:1"), true, None, true),
            (Some("10.0.0.1:1"), false, Some("HTTPS"), true),
            (Some("[::ffff:10.0.0.1]:1"), false, Some("https"), true),
            (Some("10.0.0.1:1"), false, Some("http"), false),
            (Some("10.0.0.1:1"), false, None, false),
            (None, false, Some("https"), true),
            (None, false, None, false),
        ] {
            let peer = Peer {
                address: address.map(|address| address.parse().unwrap()),
                encrypted,
            };
            let proto =
                proto.map(|proto| (FORWARDED_PROTO.parse().unwrap(), HeaderValue::from_static(proto)));
            let headers = proto.into_iter().collect();
            assert_eq!(
                trusted.encrypted(peer, &headers),
                expected,
                "{address:?} {headers:?}"
            );
        }
    }

    #[test]
    fn a_setting_is_an_address_or_a_network() {
        assert!(TrustedProxies::new(["10.0.0.7", "::1", "10.0.0.0/0", "2001:db8::/32"]).is_ok());
        for bad in [
            "",
            "proxy.example",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::/129",
            "10.0.0.1:80",
            "*",
        ] {
            assert_eq!(TrustedProxies::new([bad]).unwrap_err().text, bad);
        }
    }
}
