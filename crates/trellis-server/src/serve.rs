//! Serving until told to stop: accepts connections, bounds them, ends the silent ones.
//!
//! `axum::serve` sets no limit on how long a client may take for the headers of a request, nor on how many
//! connections there are. Here both have one, so that silent clients never keep others out.
//! Which connection goes when there are too many is decided in `serve/connections.rs`.

mod connections;
mod held_body;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use self::connections::{Connection, Connections};
use self::held_body::HeldBody;
use crate::{AppState, app};

/// What a connection gets that comes while every other one is at work.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What is read of a connection at a time, and the longest head of a request. A connection that sends a form has
/// about six times as much in buffers; by itself hyper reads 400 KiB.
const READ_BYTES: usize = 16 << 10;

/// The pause after the process could not open another file: long enough for one to be closed.
const AFTER_FULL: Duration = Duration::from_millis(50);

/// Serves until `shutdown` resolves, then takes no new connections, lets followers of jobs go
/// and finishes the requests that are open. The caller sets the deadline.
pub async fn serve(
    on: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let stopping = state.stopping().clone();
    let connections = Arc::new(Connections::new(state.limits.connections));
    let header_time = state.limits.header_time;
    let router = app(state);
    let attending = TaskTracker::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = on.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                cannot_accept(&connections, &error).await;
                continue;
            }
        };
        let Some(connection) = connections.admit(peer) else {
            turn_away(&stream);
            continue;
        };
        attending.spawn(attend(
            stream,
            connection,
            router.clone(),
            header_time,
            stopping.clone(),
        ));
    }
    drop(on);
    stopping.cancel();
    attending.close();
    attending.wait().await;
    Ok(())
}

/// Answers the requests of one connection.
async fn attend(
    stream: TcpStream,
    connection: Connection,
    router: Router,
    header_time: Duration,
    stopping: CancellationToken,
) {
    // Answers are written whole; waiting for more to send only adds latency.
    let _ = stream.set_nodelay(true);
    let evicted = connection.evicted();
    let answer = service_fn(|mut request: Request<Incoming>| {
        let at_work = connection.at_work();
        request.extensions_mut().insert(ConnectInfo(connection.peer()));
        let answering = router.clone().oneshot(request.map(Body::new));
        async move {
            answering
                .await
                .map(|answer| answer.map(|body| HeldBody::new(body, at_work)))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        // Counts from the end of the request before, so it ends idle connections too.
        .header_read_timeout(header_time)
        .max_buf_size(READ_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut serving = std::pin::pin!(serving);
    let mut told = false;
    let ended = loop {
        tokio::select! {
            ended = &mut serving => break ended,
            () = evicted.cancelled() => return,
            () = stopping.cancelled(), if !told => {
                told = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        debug!(peer = %connection.peer(), %error, "connection ended");
    }
}

/// Says so and goes on: a connection that is gone already is nobody's trouble, and files are closed again.
async fn cannot_accept(connections: &Connections, error: &io::Error) {
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        return;
    }
    warn!(%error, connections = connections.count(), "cannot accept a connection; the longest idle one is closed");
    connections.evict_idle();
    sleep(AFTER_FULL).await;
}

fn turn_away(stream: &TcpStream) {
    warn!("connection turned away: every other one is at work (`limits.connections`)");
    let _ = stream.try_write(TOO_MANY);
}
