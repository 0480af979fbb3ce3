//! Where connections come in: a TCP or a Unix socket, with TLS or without.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::paced_stream::{PacedStream, ReadingPace};
use super::raw_answer::raw_answer;
use crate::request_error::RequestError;
use crate::tls::Tls;

/// What the first record of TLS begins with (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// How much of a request is read that cannot be answered: its head.
const UNREAD: u64 = 64 << 10;

/// A connection as the system gives it.
pub(super) type Stream = Either<TcpStream, UnixStream>;

/// A listener, and the certificate where its connections are encrypted.
#[derive(Debug)]
pub struct Entrance {
    listener: Listener,
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Listener {
    Network(TcpListener),
    Unix(UnixListener),
}

impl From<TcpListener> for Entrance {
    fn from(listener: TcpListener) -> Self {
        Self {
            listener: Listener::Network(listener),
            tls: None,
        }
    }
}

impl From<UnixListener> for Entrance {
    fn from(listener: UnixListener) -> Self {
        Self {
            listener: Listener::Unix(listener),
            tls: None,
        }
    }
}

impl Entrance {
    /// The same, with TLS where there is a certificate.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// The address that it is bound to; `None` for a Unix socket.
    pub fn host(&self) -> Option<IpAddr> {
        match &self.listener {
            Listener::Network(listener) => listener.local_addr().ok().map(|address| address.ip()),
            Listener::Unix(_) => None,
        }
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// The next connection, and its address where it has one.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.listener {
            Listener::Network(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written whole; waiting for more to send only adds latency.
                let _ = stream.set_nodelay(true);
                Ok((Either::Left(stream), Some(address)))
            }
            Listener::Unix(listener) => Ok((Either::Right(listener.accept().await?.0), None)),
        }
    }
}

/// Writes as much as can be written at once.
pub(super) fn try_write(stream: &Stream, bytes: &[u8]) {
    let _ = match stream {
        Either::Left(stream) => stream.try_write(bytes),
        Either::Right(stream) => stream.try_write(bytes),
    };
}

/// Shakes hands. A client that speaks HTTP instead is told so in HTTP.
pub(super) async fn encrypted(
    mut stream: Stream,
    pace: ReadingPace,
    tls: &Tls,
) -> io::Result<TlsStream<PacedStream<Stream>>> {
    if let Either::Left(stream) = &mut stream {
        let mut first = [0];
        let read = stream.peek(&mut first).await?;
        if read == 1 && first[0] != HANDSHAKE {
            stream
                .write_all(raw_answer(RequestError::TlsNeeded).as_bytes())
                .await?;
            stream.shutdown().await?;
            // With something unread, the system would break the connection off before the client has the answer.
            tokio::io::copy(&mut stream.take(UNREAD), &mut tokio::io::sink()).await?;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the client does not speak TLS",
            ));
        }
    }
    // Below TLS, so that its buffers cannot hide that the client reads nothing.
    let stream = PacedStream::new(stream, pace);
    TlsAcceptor::from(tls.config()).accept(stream).await
}
