//! The settings of a node, typed and checked. Their meaning, ranges and defaults are in the table of the CLI
//! (docs/configuration.md).

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use trellis_core::BackendChoice;
use trellis_gpu::GpuChoice;

/// All settings of a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder of the job database, pictures and assets.
    pub data_dir: PathBuf,
    /// Which backends there are.
    pub backend: BackendChoice,
    /// How long running jobs may finish once the node is told to stop.
    pub drain_seconds: u32,
    /// Where the server listens and to whom it answers.
    pub listen: Listen,
    /// Who may use it.
    pub auth: Auth,
    /// How much is taken.
    pub limits: Limits,
    /// How long finished jobs are kept.
    pub retention: Retention,
    /// What is said of results.
    pub provenance: Provenance,
    /// How TRELLIS is run.
    pub trellis: Trellis,
}

/// Where the server listens and to whom it answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The address.
    #[serde(deserialize_with = "address")]
    pub host: IpAddr,
    /// The port; 0 takes any free one.
    pub port: u16,
    /// Web origins whose pages may call the server.
    pub allowed_origins: Vec<String>,
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

/// Who may use the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Empty: everybody.
    pub keys_file: PathBuf,
}

/// How much is taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest request body.
    pub body_bytes: u64,
    /// Most pixels of one picture.
    pub pixels: u64,
    /// Most pictures of one job.
    pub images_per_job: u32,
    /// Most jobs that wait.
    pub queued_jobs: u64,
    /// Longest time that one attempt of a job may take.
    pub job_seconds: u64,
}

/// What is said of results.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Whether a statement is made of each result; a key has one made in any case.
    pub statement: bool,
    /// Empty: nothing is signed.
    pub sign_key: PathBuf,
}

/// How TRELLIS is run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trellis {
    /// Empty: there is none.
    pub model: PathBuf,
    /// Its Python interpreter.
    pub python: PathBuf,
    /// Which GPUs get a worker.
    #[serde(deserialize_with = "text")]
    pub gpus: GpuChoice,
    /// Whether models stay in main memory between their stages.
    pub low_vram: bool,
    /// Whether a small picture is run before a worker counts as ready.
    pub warm_up: bool,
    /// Patience with a stage that does not go on; 100 is 3 to 10 minutes.
    pub patience_percent: u32,
    /// Whether waiting jobs get a preview.
    pub preview: bool,
}

/// How long finished jobs are kept; 0 is forever.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// How many, the newest.
    pub keep_jobs: u64,
    /// How many days.
    pub keep_days: u32,
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
}
