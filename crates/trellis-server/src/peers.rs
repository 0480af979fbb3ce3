//! Where a connection comes from, and whom an address stands for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::Request;

/// The other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// `None` over a Unix socket, whose clients have no address.
    pub(crate) address: Option<SocketAddr>,
    /// Whether this server decrypted what came over the connection.
    pub(crate) encrypted: bool,
}

impl Peer {
    /// Of a request that came over no connection, as in tests.
    const UNKNOWN: Self = Self {
        address: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
        encrypted: false,
    };

    /// The peer that `serve` noted with the request.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get().copied().unwrap_or(Self::UNKNOWN)
    }

    /// Its address without the port.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }

    /// Where its connections are counted. All that come over the Unix socket are one.
    pub(crate) fn site(self) -> IpAddr {
        self.ip().map_or(Ipv4Addr::UNSPECIFIED.into(), site)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

/// The part of an address that one client cannot change at will: all of IPv4, the network of IPv6, within which
/// every machine chooses addresses by itself (RFC 4291, section 2.5.4).
pub(crate) fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_one_client_may_choose_are_one() {
        for (address, expected) in [
            ("10.0.0.7", "10.0.0.7"),
            ("::ffff:10.0.0.7", "10.0.0.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::9", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(site(address), expected.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
