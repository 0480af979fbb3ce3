//! Where log lines go: standard error, as text or as JSON.

use std::fmt;
use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use trellis_core::plain_text;

use crate::config::{Log, LogFormat};
use crate::otlp::Spans;
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
        self.0(filter(level));
    }
}

/// Standard error without anybody's control characters. A line comes in one piece.
struct Plain {
    colours: bool,
}

impl Plain {
    fn stderr() -> Self {
        Self {
            colours: output::colours_on(&io::stderr()),
        }
    }
}

impl io::Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let plain = if self.colours {
            output::plain_but_colours(&text).into()
        } else {
            plain_text(&text)
        };
        io::stderr().lock().write_all(plain.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// What is logged at that level. A certificate that is refused is an error of whoever connects, who says so once.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(format!("rustls_platform_verifier=off,{level}")).unwrap_or_default()
}

/// Starts logging, which `spans` sees as well. The level was checked with the other settings.
pub(crate) fn start(log: &Log, spans: Option<Spans>) -> Logging {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(&log.level))
        .with_writer(Plain::stderr)
        .with_ansi(output::colours_on(&io::stderr()));
    // A second subscriber in one process (tests) is no reason to stop.
    match log.format {
        LogFormat::Text => {
            let lines = lines.with_filter_reloading();
            let handle = lines.reload_handle();
            let _ = lines.finish().with(spans).try_init();
            Logging(Box::new(move |filter| drop(handle.reload(filter))))
        }
        LogFormat::Json => {
            let lines = lines
                .json()
                .with_ansi(false)
                .flatten_event(true)
                .with_filter_reloading();
            let handle = lines.reload_handle();
            let _ = lines.finish().with(spans).try_init();
            Logging(Box::new(move |filter| drop(handle.reload(filter))))
        }
    }
}
