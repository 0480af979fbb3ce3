//! Every environment variable that the program reads, by name, and a snapshot of their values.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The settings file.
pub(crate) const CONFIG: &str = "TRELLIS_CONFIG";

/// `listen.host`.
pub(crate) const LISTEN_HOST: &str = "TRELLIS_LISTEN_HOST";
/// `listen.port`.
pub(crate) const LISTEN_PORT: &str = "TRELLIS_LISTEN_PORT";
/// `listen.allowed_origins`.
pub(crate) const LISTEN_ALLOWED_ORIGINS: &str = "TRELLIS_LISTEN_ALLOWED_ORIGINS";
/// `data_dir`.
pub(crate) const DATA_DIR: &str = "TRELLIS_DATA_DIR";
/// `backend`.
pub(crate) const BACKEND: &str = "TRELLIS_BACKEND";
/// `auth.keys_file`.
pub(crate) const AUTH_KEYS_FILE: &str = "TRELLIS_AUTH_KEYS_FILE";
/// `log.level`.
pub(crate) const LOG: &str = "TRELLIS_LOG";
/// `log.format`.
pub(crate) const LOG_FORMAT: &str = "TRELLIS_LOG_FORMAT";
/// `limits.body_bytes`.
pub(crate) const LIMITS_BODY_BYTES: &str = "TRELLIS_LIMITS_BODY_BYTES";
/// `limits.pixels`.
pub(crate) const LIMITS_PIXELS: &str = "TRELLIS_LIMITS_PIXELS";
/// `limits.images_per_job`.
pub(crate) const LIMITS_IMAGES_PER_JOB: &str = "TRELLIS_LIMITS_IMAGES_PER_JOB";
/// `limits.queued_jobs`.
pub(crate) const LIMITS_QUEUED_JOBS: &str = "TRELLIS_LIMITS_QUEUED_JOBS";
/// `limits.job_seconds`.
pub(crate) const LIMITS_JOB_SECONDS: &str = "TRELLIS_LIMITS_JOB_SECONDS";
/// `retention.keep_jobs`.
pub(crate) const RETENTION_KEEP_JOBS: &str = "TRELLIS_RETENTION_KEEP_JOBS";
/// `retention.keep_days`.
pub(crate) const RETENTION_KEEP_DAYS: &str = "TRELLIS_RETENTION_KEEP_DAYS";
/// `provenance.statement`.
pub(crate) const STATEMENT: &str = "TRELLIS_STATEMENT";
/// `provenance.sign_key`.
pub(crate) const SIGN_KEY: &str = "TRELLIS_SIGN_KEY";
/// `drain_seconds`.
pub(crate) const DRAIN_SECONDS: &str = "TRELLIS_DRAIN_SECONDS";
/// `trellis.model`.
pub(crate) const TRELLIS_MODEL: &str = "TRELLIS_MODEL_PATH";
/// `trellis.python`.
pub(crate) const TRELLIS_PYTHON: &str = "TRELLIS_WORKER_PYTHON";
/// `trellis.gpus`.
pub(crate) const TRELLIS_GPUS: &str = "TRELLIS_GPUS";
/// `trellis.low_vram`.
pub(crate) const TRELLIS_LOW_VRAM: &str = "TRELLIS_LOW_VRAM";
/// `trellis.patience_percent`.
pub(crate) const TRELLIS_PATIENCE_PERCENT: &str = "TRELLIS_PATIENCE_PERCENT";
/// `trellis.warm_up`.
pub(crate) const TRELLIS_WARM_UP: &str = "TRELLIS_WARM_UP";
/// `trellis.preview`.
pub(crate) const TRELLIS_PREVIEW: &str = "TRELLIS_PREVIEW";

/// The key that calls of a server send.
pub(crate) const API_KEY: &str = "TRELLIS_API_KEY";

/// The model folder that is meant where none is named.
pub(crate) const MODEL_PATH: &str = "TRELLIS_MODEL_PATH";

/// The Python that runs TRELLIS, with everything that it imports.
pub(crate) const WORKER_PYTHON: &str = "TRELLIS_WORKER_PYTHON";

/// The virtual environment that the shell is in.
pub(crate) const VIRTUAL_ENV: &str = "VIRTUAL_ENV";
/// The conda environment that the shell is in.
pub(crate) const CONDA_PREFIX: &str = "CONDA_PREFIX";
/// Where programs are looked for.
pub(crate) const PATH: &str = "PATH";
/// Where the dynamic linker looks first.
pub(crate) const LD_LIBRARY_PATH: &str = "LD_LIBRARY_PATH";
/// The folder that a service manager made for the server's data.
pub(crate) const STATE_DIRECTORY: &str = "STATE_DIRECTORY";
/// Where a service manager put the secrets it was told to hand over.
pub(crate) const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// Where a user's settings are (XDG base directory specification).
pub(crate) const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Where a system's settings are, `:` between folders (XDG base directory specification).
pub(crate) const XDG_CONFIG_DIRS: &str = "XDG_CONFIG_DIRS";
/// Where a user's data is (XDG base directory specification).
pub(crate) const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// The user's home.
pub(crate) const HOME: &str = "HOME";
/// No colours where it is set and not empty (no-color.org).
pub(crate) const NO_COLOR: &str = "NO_COLOR";

/// The environment as it was when the program started. An empty variable counts as unset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The process's own.
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// The given variables only.
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(
            pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        )
    }

    /// The names of all variables that are set and not empty.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str())
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}
