//! The checked settings as the program uses them, one struct. Their meaning stands in `settings.rs`.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use trellis_core::BackendChoice;

use super::{ConfigProblem, Problems};

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) backend: BackendChoice,
    pub(crate) drain_seconds: u32,
    pub(crate) listen: Listen,
    pub(crate) auth: Auth,
    pub(crate) log: Log,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) cache: Cache,
    pub(crate) provenance: Provenance,
    pub(crate) trellis: Trellis,
}

impl Config {
    /// Refuses to go on where there is no place for data.
    pub(crate) fn with_data(&self) -> Result<(), Problems> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(Problems(vec![ConfigProblem::NoDataDir]));
        }
        Ok(())
    }
}

/// Where the server listens and to whom it answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    #[serde(deserialize_with = "address")]
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) allowed_origins: Vec<String>,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(from)?;
    super::kind::address(&text).ok_or_else(|| D::Error::custom("not an address"))
}

/// Who may use the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    /// Empty: everybody.
    pub(crate) keys_file: PathBuf,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// How much is taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) body_bytes: u64,
    pub(crate) pixels: u64,
    pub(crate) images_per_job: u32,
    pub(crate) queued_jobs: u64,
    pub(crate) job_seconds: u64,
}

/// What is kept of results for later jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    pub(crate) max_bytes: u64,
}

/// What is said of results.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provenance {
    /// Whether a statement is made of each result; a key has one made in any case.
    pub(crate) statement: bool,
    /// Empty: nothing is signed.
    pub(crate) sign_key: PathBuf,
}

/// How TRELLIS is run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trellis {
    /// Empty: there is none.
    pub(crate) model: PathBuf,
    pub(crate) python: PathBuf,
    /// As `GpuChoice` reads it.
    pub(crate) gpus: String,
    pub(crate) low_vram: bool,
    pub(crate) warm_up: bool,
    pub(crate) patience_percent: u32,
    pub(crate) preview: bool,
}

/// How long finished jobs are kept; 0 is forever.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    pub(crate) keep_jobs: u64,
    pub(crate) keep_days: u32,
}
