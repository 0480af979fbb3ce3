//! Where a setting's value comes from.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use toml::Value;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub(crate) enum Origin {
    /// A flag.
    Flag { flag: &'static str },
    /// An environment variable.
    Environment { variable: &'static str },
    /// The settings file.
    File { file: PathBuf, line: usize },
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { flag } => write!(f, "--{flag}"),
            Self::Environment { variable } => write!(f, "${variable}"),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Sourced {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}
