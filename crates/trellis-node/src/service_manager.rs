//! Manners towards systemd: a listener that it opened, READY, STATUS and WATCHDOG. Elsewhere all of it is
//! nothing: each message goes to `$NOTIFY_SOCKET` where that is set.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use trellis_backend::{Readiness, Registry};
use trellis_jobs::JobStore;

/// How often the status is looked at.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// A job database that does not answer for so long does not count as alive.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// The listener that the service manager opened for us, if it did (socket activation).
pub(crate) fn inherited_listener() -> io::Result<Option<Inherited>> {
    let mut handed_over = ListenFd::from_env();
    // A socket of another kind stays where it is.
    if let Ok(Some(listener)) = handed_over.take_unix_listener(0) {
        listener.set_nonblocking(true)?;
        return UnixListener::from_std(listener).map(|listener| Some(Inherited::Unix(listener)));
    }
    let Some(listener) = handed_over.take_tcp_listener(0)? else {
        return Ok(None);
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(|listener| Some(Inherited::Network(listener)))
}

/// What a service manager handed over.
pub(crate) enum Inherited {
    Network(TcpListener),
    Unix(UnixListener),
}

/// Says that the server is there, then what its backends do, and that it is alive while its job database
/// answers; at the end that it stops.
pub(crate) async fn report(registry: Arc<Registry>, store: Arc<dyn JobStore>, stopping: CancellationToken) {
    say(&[NotifyState::Ready]);
    let watchdog = sd_notify::watchdog_enabled();
    // Twice in each period, as its documentation advises.
    let every = watchdog.map_or(STATUS_EVERY, |period| (period / 2).min(STATUS_EVERY));
    let mut told = String::new();
    loop {
        let status = status(&registry);
        if status != told {
            say(&[NotifyState::Status(&status)]);
            told = status;
        }
        if watchdog.is_some() {
            if let Ok(Ok(_)) = timeout(ALIVE_WITHIN, store.stats()).await {
                say(&[NotifyState::Watchdog]);
            } else {
                warn!("the job database does not answer; not notifying the watchdog");
            }
        }
        tokio::select! {
            () = stopping.cancelled() => break,
            () = tokio::time::sleep(every) => {}
        }
    }
    say(&[
        NotifyState::Stopping,
        NotifyState::Status("finishing running jobs"),
    ]);
}

/// What every backend does, in one line.
fn status(registry: &Registry) -> String {
    let all = registry.all().iter().map(|backend| {
        let name = backend.capabilities().name;
        match backend.readiness() {
            Readiness::Ready => format!("{name}: ready"),
            Readiness::Starting { reason } => format!("{name}: starting, {reason}"),
            Readiness::Unavailable { failure } => format!("{name}: not available, {}", failure.message),
            Readiness::Absent { reason } => format!("{name}: {reason}"),
        }
    });
    all.collect::<Vec<_>>().join("; ").replace('\n', " ")
}

/// A service manager that does not listen is its own concern.
fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "cannot notify the service manager");
    }
}
