//! What a started server prints: where to look, and a command that can be pasted into a shell.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use trellis_node::Bound;
use trellis_server::Example;

use crate::env;

/// The picture that comes with the sources.
pub(crate) const SAMPLE: &str = "samples/duck.png";

/// What is known once the server is there.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    /// Where it listens; `None`: it only works on jobs.
    pub(crate) bound: Option<&'a Bound>,
    /// The job store, where it shares one.
    pub(crate) store: &'a str,
    /// The first name of its certificate.
    pub(crate) certified: Option<&'a str>,
    /// The names of the API keys, where one is needed.
    pub(crate) key_names: Option<&'a [String]>,
    /// The address that was bound for the figures alone.
    pub(crate) metrics: Option<SocketAddr>,
    /// The address that was bound for StableProjectorz.
    pub(crate) projectorz: Option<SocketAddr>,
    /// The data folder.
    pub(crate) data_dir: &'a Path,
    /// The settings file that was read.
    pub(crate) settings: Option<&'a Path>,
    /// For each backend a sentence.
    pub(crate) backends: &'a [String],
    /// Whether [`SAMPLE`] is in the current folder.
    pub(crate) has_sample: bool,
}

impl Banner<'_> {
    pub(crate) fn text(&self) -> String {
        let Some(bound) = self.bound else {
            return self.of_worker();
        };
        let (address, socket) = self.address(bound);
        let place = socket.map_or(address.clone(), |path| format!("unix:{}", path.display()));
        let mut text = format!("trellis {} serves on {place}\n", env!("CARGO_PKG_VERSION"));
        let mut row = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label:<9} {value}");
        };
        match self.key_names {
            Some(names) => row(
                "open to",
                &format!("anyone with an API key: {}", names.join(", ")),
            ),
            None if is_private(bound) => {}
            None => row(
                "open to",
                "anyone who can reach this address: `auth.keys_file` is not set",
            ),
        }
        row("reference", &format!("{address}/docs"));
        if let Some(bound) = self.metrics {
            row("metrics", &format!("http://{}/metrics", reachable(bound)));
        }
        if let Some(bound) = self.projectorz {
            row(
                "also",
                &format!("http://{} for StableProjectorz", reachable(bound)),
            );
        }
        if !self.store.is_empty() {
            row("store", self.store);
        }
        text.push_str(&self.what_it_has());
        let (picture, output) = if self.has_sample {
            (SAMPLE, "duck.glb")
        } else {
            ("photo.png", "model.glb")
        };
        let example = Example {
            address: &address,
            socket: socket.and_then(Path::to_str),
            picture,
            output,
            key_variable: self.key_names.map(|_| env::API_KEY),
        };
        let _ = write!(
            text,
            "\nFrom {picture} to {output}, in another terminal:\n\n{}\n\n",
            example.commands()
        );
        text
    }

    /// What a server without an address prints.
    fn of_worker(&self) -> String {
        let (version, store) = (env!("CARGO_PKG_VERSION"), self.store);
        format!(
            "trellis {version} works on the jobs of {store}\n{}",
            self.what_it_has()
        )
    }

    fn what_it_has(&self) -> String {
        let settings = self.settings.map(|file| file.display().to_string());
        let mut rows = vec![
            ("data", self.data_dir.display().to_string()),
            ("settings", settings.unwrap_or_else(|| "defaults".to_owned())),
        ];
        rows.extend(self.backends.iter().map(|backend| ("backend", backend.clone())));
        let lines = rows
            .iter()
            .map(|(label, value)| format!("  {label:<9} {value}\n"));
        lines.collect()
    }

    /// The URL to use, and the Unix socket where there is one.
    fn address<'b>(&self, bound: &'b Bound) -> (String, Option<&'b Path>) {
        match bound {
            Bound::Unix(path) => ("http://localhost".to_owned(), Some(path)),
            Bound::Network { address, tls: false } => (format!("http://{}", reachable(*address)), None),
            // Clients compare the name that they use with the certificate.
            Bound::Network { address, tls: true } => match self.certified {
                Some(name) => (format!("https://{name}:{}", address.port()), None),
                None => (format!("https://{}", reachable(*address)), None),
            },
        }
    }
}

/// Whether no other machine reaches it.
fn is_private(bound: &Bound) -> bool {
    match bound {
        Bound::Unix(_) => true,
        Bound::Network { address, .. } => address.ip().to_canonical().is_loopback(),
    }
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

    fn network(address: &str, tls: bool) -> Bound {
        Bound::Network {
            address: address.parse().unwrap(),
            tls,
        }
    }

    fn banner(bound: &str, key_names: Option<&[String]>) -> String {
        let backends = ["relief: a preview from the outline, not TRELLIS".to_owned()];
        let text = Banner {
            bound: Some(&network(bound, false)),
            store: "",
            certified: None,
            key_names,
            metrics: None,
            projectorz: None,
            data_dir: Path::new("/srv/trellis"),
            settings: None,
            backends: &backends,
            has_sample: false,
        };
        text.text().replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn says_where_to_look() {
        insta::assert_snapshot!(banner("127.0.0.1:8000", None));
    }

    #[test]
    fn the_sample_and_the_metrics_are_named_where_they_are() {
        let text = Banner {
            bound: Some(&network("127.0.0.1:8000", false)),
            store: "",
            certified: None,
            key_names: None,
            metrics: Some("0.0.0.0:8001".parse().unwrap()),
            projectorz: Some("127.0.0.1:7960".parse().unwrap()),
            data_dir: Path::new("/srv/trellis"),
            settings: None,
            backends: &[],
            has_sample: true,
        };
        let text = text.text();
        assert!(text.contains("From samples/duck.png to duck.glb"), "{text}");
        assert!(text.contains("-F image=@samples/duck.png "), "{text}");
        assert!(!text.contains("photo.png"), "{text}");
        assert!(
            text.contains("  metrics   http://127.0.0.1:8001/metrics\n"),
            "{text}"
        );
        assert!(
            text.contains("  also      http://127.0.0.1:7960 for StableProjectorz\n"),
            "{text}"
        );
    }

    #[test]
    fn a_server_that_only_works_says_for_whom() {
        let text = Banner {
            bound: None,
            store: "postgres://trellis@db.example/trellis",
            certified: None,
            key_names: None,
            metrics: None,
            projectorz: None,
            data_dir: Path::new("/srv/trellis"),
            settings: None,
            backends: &["relief: a preview".to_owned()],
            has_sample: false,
        };
        assert_eq!(
            text.text().replace(env!("CARGO_PKG_VERSION"), "VERSION"),
            "trellis VERSION works on the jobs of postgres://trellis@db.example/trellis\n  \
             data      /srv/trellis\n  settings  defaults\n  backend   relief: a preview\n"
        );
    }

    #[test]
    fn an_open_server_says_so_and_shows_an_address_that_works() {
        let text = banner("[::]:80", None);
        assert!(text.contains("serves on http://[::1]:80\n"), "{text}");
        assert!(text.contains("anyone who can reach"), "{text}");
    }

    #[test]
    fn the_command_goes_where_the_server_is() {
        let text = |bound: &Bound, certified| {
            Banner {
                bound: Some(bound),
                store: "",
                certified,
                key_names: None,
                metrics: None,
                projectorz: None,
                data_dir: Path::new("/srv/trellis"),
                settings: None,
                backends: &[],
                has_sample: true,
            }
            .text()
        };
        let named = text(&network("0.0.0.0:8443", true), Some("studio.example"));
        assert!(
            named.contains("serves on https://studio.example:8443\n"),
            "{named}"
        );
        let unnamed = text(&network("10.0.0.2:8443", true), None);
        assert!(unnamed.contains("https://10.0.0.2:8443/v1/jobs"), "{unnamed}");
        let socket = text(&Bound::Unix("/run/trellis/http.sock".into()), None);
        for part in [
            "serves on unix:/run/trellis/http.sock\n",
            "curl --unix-socket /run/trellis/http.sock -sS",
            " http://localhost/v1/jobs ",
        ] {
            assert!(socket.contains(part), "{part}: {socket}");
        }
        assert!(!socket.contains("open to"), "{socket}");
    }

    #[test]
    fn a_locked_server_names_its_keys_and_shows_where_one_is_sent() {
        insta::assert_snapshot!(banner("10.0.0.2:8000", Some(&["studio".to_owned()])));
    }
}
