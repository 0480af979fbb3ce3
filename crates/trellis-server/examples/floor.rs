//! The least that a server for such work can be, for tests/bench/overhead.sh: axum and one worker behind a Unix socket.
//!
//! `floor COMMAND…` starts the worker with the socket as its standard input. Each `POST /` hands the body to the worker
//! and answers with what comes back: a length of 8 bytes, big-endian, and so many bytes, in both directions. Nothing is
//! checked, kept or flushed.

use std::error::Error;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Mutex;

type Worker = Arc<Mutex<UnixStream>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let program = words.next().ok_or("which worker?")?;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let _worker = Command::new(program)
        .args(words)
        .stdin(OwnedFd::from(theirs))
        .spawn()?;
    let worker: Worker = Arc::new(Mutex::new(UnixStream::from_std(ours)?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let app = Router::new()
        .route("/", post(make))
        .layer(DefaultBodyLimit::disable())
        .with_state(worker);
    Ok(axum::serve(listener, app).await?)
}

async fn make(State(worker): State<Worker>, picture: Bytes) -> Result<Vec<u8>, StatusCode> {
    let mut worker = worker.lock().await;
    exchange(&mut worker, &picture)
        .await
        .map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn exchange(worker: &mut UnixStream, picture: &[u8]) -> std::io::Result<Vec<u8>> {
    worker.write_u64(picture.len() as u64).await?;
    worker.write_all(picture).await?;
    let length = worker.read_u64().await?;
    let mut result = Vec::new();
    worker.take(length).read_to_end(&mut result).await?;
    Ok(result)
}
