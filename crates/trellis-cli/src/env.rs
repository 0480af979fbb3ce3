//! The environment variables that are no settings, by name (those of settings: `config/settings.rs`), and a
//! snapshot of all values.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The settings file.
pub(crate) const CONFIG: &str = "TRELLIS_CONFIG";

/// The key that calls of a server send.
pub(crate) const API_KEY: &str = "TRELLIS_API_KEY";

/// `trellis.model`, which is also the model folder that is meant where a command names none.
pub(crate) const MODEL_PATH: &str = "TRELLIS_MODEL_PATH";

/// `trellis2.model`, which is also the folder that a command's `trellis2-4b` means.
pub(crate) const TRELLIS2_MODEL_PATH: &str = "TRELLIS_TRELLIS2_MODEL";

/// `trellis.python`: the Python that runs TRELLIS, with everything that it imports.
pub(crate) const WORKER_PYTHON: &str = "TRELLIS_WORKER_PYTHON";

/// `trellis2.python`: the Python that runs TRELLIS.2.
pub(crate) const TRELLIS2_PYTHON: &str = "TRELLIS_TRELLIS2_PYTHON";

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

/// Where a collector of OpenTelemetry takes everything.
const OTEL_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Where it takes spans.
const OTEL_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// `none`: spans go nowhere.
const OTEL_TRACES_EXPORTER: &str = "OTEL_TRACES_EXPORTER";
/// `true`: nothing is exported.
const OTEL_SDK_DISABLED: &str = "OTEL_SDK_DISABLED";
/// What the exported spans are of.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

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

    /// Whether it names a collector for spans. Its standard default, this machine, is not taken: most have none.
    pub(crate) fn wants_spans(&self) -> bool {
        let is = |name, value: &str| {
            self.get(name)
                .is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        let named = [OTEL_ENDPOINT, OTEL_TRACES_ENDPOINT];
        !is(OTEL_SDK_DISABLED, "true")
            && !is(OTEL_TRACES_EXPORTER, "none")
            && named.into_iter().any(|name| self.get(name).is_some())
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}
