//! Serving until told to stop: accepts connections, bounds them, ends the silent ones.
//!
//! `axum::serve` sets no limit on how long a client may take for the headers of a request, nor on how many
//! connections there are. Here both have one, so that silent clients never keep others out.
//! Which connection goes when there are too many is decided in `serve/connections.rs`.

mod connections;
mod entrance;
mod paced_stream;
mod raw_answer;
mod seldom;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use self::connections::{Connection, Connections};
pub use self::entrance::Entrance;
use self::entrance::{Stream, encrypted, try_write};
use self::paced_stream::PacedStream;
pub use self::paced_stream::ReadingPace;
use self::raw_answer::raw_answer;
use self::seldom::Seldom;
use crate::app::{metrics_app, projectorz_app};
use crate::held_body::HeldBody;
use crate::peers::Peer;
use crate::request_error::RequestError;
use crate::{AppState, HttpLimits, Tls, app};

/// How much of a request is read ahead and of an answer written ahead: more than the longest head that is taken
/// (`book.rs`), or a client with that many bytes of headers would be told nothing.
const BUFFER: usize = 64 * 1024;
/// Most connections to the listener for `/metrics` alone: a few programs ask, each over one.
const METRICS_CONNECTIONS: usize = 16;
/// Most connections to the listener for StableProjectorz: a program on somebody's desk.
const PROJECTORZ_CONNECTIONS: usize = 64;
/// How often the log says the same of connections that cannot be taken.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// The pause after the process could not open another file: long enough for one to be closed.
const AFTER_FULL: Duration = Duration::from_millis(50);

/// Serves until `shutdown` resolves, then takes no new connections, lets followers of jobs go
/// and finishes the requests that are open. The caller sets the deadline.
pub async fn serve(
    on: impl Into<Entrance>,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, limits) = (state.stopping().clone(), state.limits.clone());
    serve_router(on.into(), app(state), &limits, stopping, shutdown).await
}

/// Likewise, `/metrics` alone and without a key.
pub async fn serve_metrics(
    on: impl Into<Entrance>,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let limits = HttpLimits {
        connections: METRICS_CONNECTIONS,
        ..state.limits.clone()
    };
    serve_router(
        on.into(),
        metrics_app(state),
        &limits,
        CancellationToken::new(),
        shutdown,
    )
    .await
}

/// Likewise, what StableProjectorz asks for ([`app`] does not have it: its paths are those of other dialects).
pub async fn serve_projectorz(
    on: impl Into<Entrance>,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let limits = HttpLimits {
        connections: PROJECTORZ_CONNECTIONS,
        ..state.limits.clone()
    };
    let stopping = state.stopping().clone();
    serve_router(on.into(), projectorz_app(&state), &limits, stopping, shutdown).await
}

async fn serve_router(
    on: Entrance,
    router: Router,
    limits: &HttpLimits,
    stopping: CancellationToken,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let connections = Arc::new(Connections::new(limits.connections));
    let service = Service {
        router,
        tls: on.tls().cloned(),
        header_time: limits.header_time,
        reading: limits.reading,
        stopping: stopping.clone(),
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
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                cannot_accept(&connections, &error, &mut full).await;
                continue;
            }
        };
        let peer = Peer {
            address,
            encrypted: service.tls.is_some(),
        };
        let Some(connection) = connections.admit(peer) else {
            turn_away(&stream, peer, &mut turned_away);
            continue;
        };
        attending.spawn(service.clone().attend(stream, connection));
    }
    drop(on);
    stopping.cancel();
    attending.close();
    attending.wait().await;
    Ok(())
}

/// What is done for each connection.
#[derive(Clone)]
struct Service {
    router: Router,
    tls: Option<Tls>,
    /// For the handshake, and then for the headers of each request.
    header_time: Duration,
    reading: ReadingPace,
    stopping: CancellationToken,
}

impl Service {
    /// Shakes hands where that is asked for, then answers the requests of one connection.
    async fn attend(self, stream: Stream, connection: Connection) {
        let Some(tls) = &self.tls else {
            let stream = PacedStream::new(stream, self.reading);
            return self.answer(stream, &connection).await;
        };
        // In a box, or each connection without TLS would take the memory that one with it needs.
        Box::pin(self.shake_hands(tls, stream, &connection)).await;
    }

    async fn shake_hands(&self, tls: &Tls, stream: Stream, connection: &Connection) {
        let evicted = connection.evicted();
        let handshake = timeout(self.header_time, encrypted(stream, self.reading, tls));
        let shaken = tokio::select! {
            shaken = handshake => shaken.unwrap_or_else(|late| Err(late.into())),
            () = evicted.cancelled() => return,
            () = self.stopping.cancelled() => return,
        };
        match shaken {
            Ok(stream) => self.answer(stream, connection).await,
            Err(error) => debug!(peer = %connection.peer(), %error, "no TLS"),
        }
    }

    async fn answer(&self, stream: impl AsyncRead + AsyncWrite + Unpin, connection: &Connection) {
        let evicted = connection.evicted();
        let answer = service_fn(|mut request: Request<Incoming>| {
            let at_work = connection.at_work();
            request.extensions_mut().insert(connection.peer());
            let answering = self.router.clone().oneshot(request.map(Body::new));
            // In a box that goes with the request: hyper keeps room for the answer as long as the connection.
            Box::pin(async move {
                answering
                    .await
                    .map(|answer| answer.map(|body| HeldBody::new(body, at_work)))
            })
        });
        let mut serving = std::pin::pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                // Counts from the end of the request before, so it ends idle connections too.
                .header_read_timeout(self.header_time)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(stream), answer)
        );
        let mut told = false;
        let ended = loop {
            tokio::select! {
                ended = &mut serving => break ended,
                () = evicted.cancelled() => return,
                () = self.stopping.cancelled(), if !told => {
                    told = true;
                    serving.as_mut().graceful_shutdown();
                }
            }
        };
        if let Err(error) = ended {
            debug!(peer = %connection.peer(), %error, "connection ended");
        }
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

/// Answers without having read anything: what was not read makes the system break the connection off. A client that
/// waits for a handshake is told nothing.
fn turn_away(stream: &Stream, peer: Peer, said: &mut Seldom) {
    if let Some(unsaid) = said.due() {
        warn!(
            unsaid,
            "connection turned away: every other one is at work (`limits.connections`)"
        );
    }
    if !peer.encrypted {
        try_write(stream, raw_answer(RequestError::TooManyConnections).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn an_idle_connection_without_tls_takes_no_room_for_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = Entrance::from(listener).accept().await.unwrap();
        let peer = Peer {
            address,
            encrypted: false,
        };
        let limits = HttpLimits::default();
        let service = Service {
            router: Router::new(),
            tls: None,
            header_time: limits.header_time,
            reading: limits.reading,
            stopping: CancellationToken::new(),
        };
        let connection = Connections::new(4).admit(peer).unwrap();
        let bytes = size_of_val(&service.attend(stream, connection));
        assert!(bytes <= 2048, "{bytes} bytes a connection");
    }
}
