//! Where log lines go: standard error, as text or as JSON.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};
use crate::output;

/// Starts logging. The level was checked with the other settings.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_default();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::colours_on(&std::io::stderr()));
    // A second subscriber in one process (tests) is no reason to stop.
    let _ = match log.format {
        LogFormat::Text => lines.finish().try_init(),
        LogFormat::Json => lines
            .json()
            .with_ansi(false)
            .flatten_event(true)
            .finish()
            .try_init(),
    };
}
