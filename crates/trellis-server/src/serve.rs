//! Serving until told to stop: accepts connections, bounds them, ends the silent ones.
//!
//! `axum::serve` sets no limit on how long a client may take for the headers of a request, nor on how many
//! connections there are. Here both have one, so that silent clients never keep others out.
//! Which connection goes when there are too many is decided in `serve/connections.rs`.

mod connections;
mod held_body;
mod paced_stream;
mod seldom;

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
use uuid::Uuid;

use self::connections::{Connection, Connections};
use self::held_body::HeldBody;
use self::paced_stream::PacedStream;
pub use self::paced_stream::ReadingPace;
use self::seldom::Seldom;
use crate::app::metrics_app;
use crate::problem::{MEDIA_TYPE, Problem};
use crate::request_error::RequestError;
use crate::{AppState, HttpLimits, app};

/// How much of a request is read ahead and of an answer written ahead: more than the longest head that is taken
/// (`book.rs`), or a client with that many bytes of headers would be told nothing.
const BUFFER: usize = 64 * 1024;
/// Most connections to the listener for `/metrics` alone: a few programs ask, each over one.
const METRICS_CONNECTIONS: usize = 16;
/// How often the log says the same of connections that cannot be taken.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// The pause after the process could not open another file: long enough for one to be closed.
const AFTER_FULL: Duration = Duration::from_millis(50);

/// Serves until `shutdown` resolves, then takes no new connections, lets followers of jobs go
/// and finishes the requests that are open. The caller sets the deadline.
pub async fn serve(
    on: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, limits) = (state.stopping().clone(), state.limits.clone());
    serve_router(on, app(state), &limits, stopping, shutdown).await
}

/// Likewise, `/metrics` alone and without a key.
pub async fn serve_metrics(
    on: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let limits = HttpLimits {
        connections: METRICS_CONNECTIONS,
        ..state.limits.clone()
    };
    serve_router(
        on,
        metrics_app(state),
        &limits,
        CancellationToken::new(),
        shutdown,
    )
    .await
}

async fn serve_router(
    on: TcpListener,
    router: Router,
    limits: &HttpLimits,
    stopping: CancellationToken,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let connections = Arc::new(Connections::new(limits.connections));
    let pace = ConnectionPace {
        header_time: limits.header_time,
        reading: limits.reading,
    };
    let attending = TaskTracker::new();
    let (mut full, mut turned_away) = (Seldom::new(SAID_EVERY), Seldom::new(SAID_EVERY));
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
                cannot_accept(&connections, &error, &mut full).await;
                continue;
            }
        };
        let Some(connection) = connections.admit(peer) else {
            turn_away(&stream, &mut turned_away);
            continue;
        };
        attending.spawn(attend(stream, connection, router.clone(), pace, stopping.clone()));
    }
    drop(on);
    stopping.cancel();
    attending.close();
    attending.wait().await;
    Ok(())
}

/// How slow a client may be.
#[derive(Clone, Copy)]
struct ConnectionPace {
    header_time: Duration,
    reading: ReadingPace,
}

/// Answers the requests of one connection.
async fn attend(
    stream: TcpStream,
    connection: Connection,
    router: Router,
    pace: ConnectionPace,
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
        .header_read_timeout(pace.header_time)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(PacedStream::new(stream, pace.reading)), answer);
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
async fn cannot_accept(connections: &Connections, error: &io::Error, said: &mut Seldom) {
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        return;
    }
    if let Some(unsaid) = said.due() {
        let connections = connections.count();
        warn!(%error, connections, unsaid, "cannot accept a connection; the longest idle one is closed");
    }
    connections.evict_idle();
    sleep(AFTER_FULL).await;
}

/// Answers without having read anything: what was not read makes the system break the connection off.
fn turn_away(stream: &TcpStream, said: &mut Seldom) {
    if let Some(unsaid) = said.due() {
        warn!(
            unsaid,
            "connection turned away: every other one is at work (`limits.connections`)"
        );
    }
    let problem = Problem::from(RequestError::TooManyConnections);
    let body = serde_json::json!(problem.body(&Uuid::now_v7().to_string())).to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n\
         content-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.try_write(answer.as_bytes());
}
