//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends the program at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::CliError;
use crate::output;

/// A token that the first signal sets. `said` is printed then.
pub(crate) fn first_signal(said: &'static str) -> Result<CancellationToken, CliError> {
    let mut signals = asked_to_end()?;
    let stopping = CancellationToken::new();
    let token = stopping.clone();
    tokio::spawn(async move {
        signals.next().await;
        output::write_stderr(&format!("{said}\n"));
        token.cancel();
        signals.next().await;
        std::process::exit(1);
    });
    Ok(stopping)
}

/// SIGINT and SIGTERM, which no longer end the program by themselves.
pub(crate) fn asked_to_end() -> Result<Signals, CliError> {
    Ok(Signals {
        interrupt: signal(SignalKind::interrupt()).map_err(deaf)?,
        terminate: signal(SignalKind::terminate()).map_err(deaf)?,
    })
}

/// The system lets this program hear no signals.
pub(crate) fn deaf(error: io::Error) -> CliError {
    CliError::not_started(error)
        .context("cannot listen for signals")
        .hint("look at this user's limits")
}

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
