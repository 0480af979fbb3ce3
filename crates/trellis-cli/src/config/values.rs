//! The checked settings as the program uses them. Their meaning is in `settings.rs`.

use serde::Deserialize;
use trellis_node::Settings;

use super::{ConfigProblem, Problems};

/// All settings: the program's own and those of the node that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) log: Log,
    pub(crate) node: Settings,
}

impl Config {
    /// Refuses to go on where there is no place for data.
    pub(crate) fn with_data(&self) -> Result<(), Problems> {
        if self.node.data_dir.as_os_str().is_empty() {
            return Err(Problems(vec![ConfigProblem::NoDataDir]));
        }
        Ok(())
    }
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
