//! What a started server prints: where to look, and a command that can be pasted into a shell.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::env;

/// What is known once the server is there.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    /// The address that was bound.
    pub(crate) bound: SocketAddr,
    /// The names of the API keys, where one is needed.
    pub(crate) key_names: Option<&'a [String]>,
    /// The data folder.
    pub(crate) data_dir: &'a Path,
    /// The settings file that was read.
    pub(crate) settings: Option<&'a Path>,
    /// For each backend a sentence.
    pub(crate) backends: &'a [String],
}

impl Banner<'_> {
    pub(crate) fn text(&self) -> String {
        let address = format!("http://{}", reachable(self.bound));
        let mut text = format!("trellis {} serves on {address}\n", env!("CARGO_PKG_VERSION"));
        let mut row = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label:<9} {value}");
        };
        match self.key_names {
            Some(names) => row(
                "open to",
                &format!("whoever has an API key: {}", names.join(", ")),
            ),
            None if self.bound.ip().is_loopback() => {}
            None => row(
                "open to",
                "everybody who reaches this address: `auth.keys_file` is not set",
            ),
        }
        row("reference", &format!("{address}/docs"));
        row("data", &self.data_dir.display().to_string());
        row(
            "settings",
            &self
                .settings
                .map_or("defaults".to_owned(), |file| file.display().to_string()),
        );
        for backend in self.backends {
            row("backend", backend);
        }
        let _ = write!(
            text,
            "\nFrom photo.png to chair.glb:\n\n  {}\n\n",
            paste(&address, self.key_names.is_some())
        );
        text
    }
}

/// Submits, follows the events (their stream ends with the job), fetches the result. Needs curl and a
/// POSIX shell, nothing else.
fn paste(address: &str, locked: bool) -> String {
    let curl = if locked {
        format!("curl -H \"Authorization: Bearer ${}\"", env::API_KEY)
    } else {
        "curl".to_owned()
    };
    format!(
        "job=$({curl} -fsS -F image=@photo.png -D - -o /dev/null {address}/v1/jobs \
         | sed -n 's/^[Ll]ocation: *//p' | tr -d '\\r') \
         && {curl} -fsSN {address}$job/events \
         && {curl} -fsS -o chair.glb {address}$job/artifacts/model.glb"
    )
}

/// An address to connect to: "any" is no place to go.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let host = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(bound: &str, key_names: Option<&[String]>) -> String {
        let backends = ["relief: a preview from the outline, not TRELLIS".to_owned()];
        let text = Banner {
            bound: bound.parse().unwrap(),
            key_names,
            data_dir: Path::new("/srv/trellis"),
            settings: None,
            backends: &backends,
        };
        text.text().replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn says_where_to_look() {
        insta::assert_snapshot!(banner("127.0.0.1:8000", None));
    }

    #[test]
    fn an_open_server_says_so_and_shows_an_address_that_works() {
        let text = banner("[::]:80", None);
        assert!(text.contains("serves on http://[::1]:80\n"), "{text}");
        assert!(text.contains("everybody who reaches"), "{text}");
    }

    #[test]
    fn a_locked_server_names_its_keys_and_shows_where_one_is_sent() {
        insta::assert_snapshot!(banner("10.0.0.2:8000", Some(&["studio".to_owned()])));
    }
}
