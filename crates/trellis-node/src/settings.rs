//! The settings of a node, typed and checked. Their meaning, ranges and defaults are in the table of the CLI
//! (docs/configuration.md).

#![expect(missing_docs, reason = "the table says what each setting means")]

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use trellis_core::{AskedBackend, Defaults, Model, Quality};
use trellis_gpu::GpuChoice;

/// All settings of a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub backend: AskedBackend,
    /// Of jobs that name none; `None`: the best that runs here.
    #[serde(deserialize_with = "model_or_auto")]
    pub default_model: Option<Model>,
    pub drain_seconds: u32,
    pub role: Role,
    pub store: Store,
    pub blobs: Blobs,
    pub listen: Listen,
    pub tls: TlsFiles,
    pub auth: Auth,
    pub metrics: Metrics,
    pub webhooks: Webhooks,
    pub compat: Compat,
    pub limits: Limits,
    pub retention: Retention,
    pub provenance: Provenance,
    pub trellis: Trellis,
    pub trellis2: Trellis2,
}

impl Settings {
    /// What holds where a request leaves it open.
    pub fn defaults(&self) -> Defaults {
        Defaults {
            quality: self.trellis.default_quality,
        }
    }
}

/// The part that a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes requests and works on jobs.
    All,
    /// Takes requests.
    Api,
    /// Works on jobs.
    Worker,
}

impl Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Worker => "worker",
        })
    }
}

/// Where jobs are kept, where that is not in the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Empty: in the data folder.
    pub url: String,
    pub password_file: PathBuf,
    /// A folder or `s3://…`; empty: the data folder's.
    pub blobs: PathBuf,
}

/// How S3-compatible storage is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// Empty: AWS's own variables say who we are.
    pub credentials_file: PathBuf,
    pub redirect: bool,
}

/// Where the server listens and to whom it answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    #[serde(deserialize_with = "address")]
    pub host: IpAddr,
    pub port: u16,
    /// A Unix socket in their place; empty: none.
    pub socket: PathBuf,
    pub allowed_origins: Vec<String>,
    /// Names by which the server may be addressed, besides its own.
    pub allowed_hosts: Vec<String>,
    /// Proxies that say where a request comes from.
    pub trusted_proxies: Vec<String>,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(from)?;
    listen_address(&text).ok_or_else(|| D::Error::custom("not an address"))
}

/// Reads an address to listen on. `localhost` is the loopback address on every machine (RFC 6761, section 6.3),
/// so nothing is looked up for it; IPv6 may stand in brackets, as in URLs.
pub fn listen_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// The files that make HTTPS of HTTP; both empty: HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Who may use the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Empty: everybody.
    pub keys_file: PathBuf,
    /// Whether everybody may use the server also where other machines can reach it.
    pub insecure_no_auth: bool,
}

/// Whether jobs may have webhooks, and where those may be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Empty: jobs have none.
    pub secret_file: PathBuf,
    /// Hosts and networks that are reached though they are not public.
    pub allow: Vec<String>,
}

/// Which other programs' clients are answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compat {
    pub crossworld: bool,
    pub projectorz: bool,
    /// A listener for it alone.
    #[serde(deserialize_with = "endpoint")]
    pub projectorz_listen: Option<SocketAddr>,
}

/// Who may read the figures for Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    pub public: bool,
    /// A listener for them alone.
    #[serde(deserialize_with = "endpoint")]
    pub listen: Option<SocketAddr>,
}

fn endpoint<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let endpoint = listen_endpoint(&text);
    endpoint
        .map(Some)
        .ok_or_else(|| D::Error::custom("not an address with a port"))
}

/// Reads an address to listen on with its port; IPv6 stands in brackets.
pub fn listen_endpoint(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.trim().rsplit_once(':')?;
    if host.contains(':') && !host.starts_with('[') {
        return None;
    }
    Some(SocketAddr::new(listen_address(host)?, port.parse().ok()?))
}

/// How much is taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub body_bytes: u64,
    pub pixels: u64,
    pub images_per_job: u32,
    pub queued_jobs: u64,
    pub job_seconds: u64,
    /// How long a job waits that no server can do; 0: without end.
    pub no_server_hours: u32,
    /// Most connections.
    pub connections: u32,
}

/// What is said of results.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Whether a statement is made of each result; a key has one made in any case.
    pub statement: bool,
    /// Empty: nothing is signed.
    pub sign_key: PathBuf,
    /// The path or hash of the Python environment that must make TRELLIS's results; empty: any.
    pub require_closure: String,
}

/// How TRELLIS is run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trellis {
    /// Empty: there is none.
    pub model: PathBuf,
    pub python: PathBuf,
    #[serde(deserialize_with = "text")]
    pub gpus: GpuChoice,
    pub default_quality: Quality,
    pub low_vram: bool,
    pub warm_up: bool,
    pub patience_percent: u32,
    pub preview: bool,
}

/// How TRELLIS.2 is run, where that is not said by [`Trellis`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trellis2 {
    /// Empty: there is none.
    pub model: PathBuf,
    pub python: PathBuf,
    #[serde(deserialize_with = "text")]
    pub gpus: GpuChoice,
    pub low_vram: bool,
}

/// How long finished jobs are kept; 0 is forever.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub keep_jobs: u64,
    pub keep_days: u32,
    /// 0: what is sampled is not kept.
    pub latent_bytes: u64,
    pub latent_hours: u32,
}

fn model_or_auto<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Model>, D::Error> {
    let name = String::deserialize(from)?;
    let named = Some(name.as_str()).filter(|name| *name != "auto");
    named.map(str::parse).transpose().map_err(D::Error::custom)
}

fn text<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_localhost_and_ipv6_may_have_brackets() {
        for (text, expected) in [
            ("localhost", Some("127.0.0.1")),
            ("LocalHost", Some("127.0.0.1")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("::", Some("::")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("[127.0.0.1]", None),
            ("studio", None),
            ("127.0.0.1:8000", None),
            ("", None),
        ] {
            assert_eq!(
                listen_address(text),
                expected.map(|ip| ip.parse().unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn an_endpoint_is_an_address_with_a_port() {
        for (text, expected) in [
            ("127.0.0.1:9000", Some("127.0.0.1:9000")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::1]:9000", Some("[::1]:9000")),
            ("::1:9000", None),
            ("127.0.0.1", None),
            (":9000", None),
            ("studio:9000", None),
            ("127.0.0.1:65536", None),
            ("", None),
        ] {
            assert_eq!(
                listen_endpoint(text),
                expected.map(|endpoint| endpoint.parse().unwrap()),
                "{text}"
            );
        }
    }
}
