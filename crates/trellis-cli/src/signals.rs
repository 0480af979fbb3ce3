//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends the program at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output;

/// A token that the first signal sets. `said` is printed then.
pub(crate) fn first_signal(said: &'static str) -> io::Result<CancellationToken> {
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
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

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
