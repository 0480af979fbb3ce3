//! Serving until told to stop.

use std::future::Future;
use std::io;

use tokio::net::TcpListener;

use crate::{AppState, app};

/// Serves until `shutdown` resolves, then takes no new connections, lets followers of jobs go
/// and finishes the requests that are open. The caller sets the deadline.
pub async fn serve(
    on: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let stopping = state.stopping().clone();
    axum::serve(on, app(state))
        .with_graceful_shutdown(async move {
            shutdown.await;
            stopping.cancel();
        })
        .await
}
