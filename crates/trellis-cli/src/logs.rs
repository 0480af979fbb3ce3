//! Where log lines go: standard error, as text or as JSON.

use std::fmt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};
use crate::output;

/// The running log, whose level can be changed.
pub(crate) struct Logging(Box<dyn Fn(EnvFilter) + Send + Sync>);

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logging")
    }
}

impl Logging {
    /// Changes what is logged. The level was checked with the other settings.
    pub(crate) fn set_level(&self, level: &str) {
        self.0(EnvFilter::try_new(level).unwrap_or_default());
    }
}

/// Starts logging. The level was checked with the other settings.
pub(crate) fn start(log: &Log) -> Logging {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_default();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::colours_on(&std::io::stderr()));
    // A second subscriber in one process (tests) is no reason to stop.
    match log.format {
        LogFormat::Text => {
            let lines = lines.with_filter_reloading();
            let handle = lines.reload_handle();
            let _ = lines.finish().try_init();
            Logging(Box::new(move |filter| drop(handle.reload(filter))))
        }
        LogFormat::Json => {
            let lines = lines
                .json()
                .with_ansi(false)
                .flatten_event(true)
                .with_filter_reloading();
            let handle = lines.reload_handle();
            let _ = lines.finish().try_init();
            Logging(Box::new(move |filter| drop(handle.reload(filter))))
        }
    }
}
