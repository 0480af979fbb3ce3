//! Connections with TLS: who is answered, who is told what is missing, who is left.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trellis_server::{Certificate, HttpLimits, ReadingPace, Tls};

use crate::kit::{Kit, Served, Wishes};

const LIVE: &[u8] = b"GET /v1/health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// A certificate for `localhost`, and what a client must trust for it.
fn certificate() -> (Certificate, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let made = Certificate::parse(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes());
    (made.unwrap(), cert.der().clone())
}

fn client(root: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

async fn encrypted(server: &Served, client: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    client.connect(name, stream).await
}

async fn answer(mut stream: impl AsyncStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

trait AsyncStream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> AsyncStream for S {}

fn impatient() -> Kit {
    Kit::with(Wishes {
        limits: HttpLimits {
            connections: 8,
            header_time: Duration::from_millis(300),
            ..HttpLimits::default()
        },
        ..Wishes::default()
    })
}

/// Whether the server ends it.
async fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

#[tokio::test]
async fn requests_are_answered_over_tls() {
    let (certificate, root) = certificate();
    let server = Kit::new().serve_with(Some(Tls::new(certificate))).await;
    let stream = encrypted(&server, &client(root)).await.unwrap();
    let told = answer(stream, LIVE).await;
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
    // It stops also while somebody is shaking hands.
    let _silent = TcpStream::connect(server.address).await.unwrap();
    server.stop.cancel();
    timeout(Duration::from_secs(10), server.task)
        .await
        .expect("an end")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_new_certificate_counts_for_new_connections_and_open_ones_go_on() {
    let (old, old_root) = certificate();
    let (new, new_root) = certificate();
    let tls = Tls::new(old);
    let server = Kit::new().serve_with(Some(tls.clone())).await;
    let open = encrypted(&server, &client(old_root.clone())).await.unwrap();
    tls.replace(new);
    assert!(encrypted(&server, &client(old_root)).await.is_err());
    let stream = encrypted(&server, &client(new_root)).await.unwrap();
    for stream in [open, stream] {
        assert!(answer(stream, LIVE).await.starts_with("HTTP/1.1 200 OK"));
    }
}

#[tokio::test]
async fn who_speaks_http_to_it_is_told_so() {
    let (certificate, _) = certificate();
    let server = Kit::new().serve_with(Some(Tls::new(certificate))).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let told = answer(stream, LIVE).await;
    assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
    for part in [
        "urn:trellis-server:problem:tls_needed",
        "https://",
        "x-content-type-options: nosniff",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn handshakes_that_never_end_are_ended_and_keep_nobody_out() {
    let (certificate, root) = certificate();
    let server = impatient().serve_with(Some(Tls::new(certificate))).await;
    let client = client(root);
    let mut silent = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The beginning of a handshake record, and no more.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        silent.push(stream);
    }
    let stream = encrypted(&server, &client).await.unwrap();
    assert!(answer(stream, LIVE).await.starts_with("HTTP/1.1 200 OK"));
    for stream in &mut silent {
        assert!(ended(stream).await);
    }
    // A finished handshake and no request is no better.
    let mut idle = encrypted(&server, &client).await.unwrap();
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(10), idle.read_to_end(&mut rest)).await;
    assert!(read.is_ok());
}

/// Its buffers hold some of an answer back; they must not hide that nobody reads.
#[tokio::test]
async fn who_does_not_read_is_left_over_tls_too() {
    let kit = Kit::with(Wishes {
        limits: HttpLimits {
            reading: ReadingPace {
                grace: Duration::from_millis(300),
                bytes_per_second: 1_000_000,
            },
            ..HttpLimits::default()
        },
        ..Wishes::default()
    });
    let job = kit.submit().await;
    kit.succeed(&kit.claim().await, &vec![7; 32 << 20]).await;
    let (certificate, root) = certificate();
    let server = kit.serve_with(Some(Tls::new(certificate))).await;
    let fetch = format!("GET /v1/jobs/{job}/artifacts/model.glb HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut silent = encrypted(&server, &client(root)).await.unwrap();
    silent.write_all(fetch.as_bytes()).await.unwrap();
    silent.flush().await.unwrap();
    server.stop.cancel();
    timeout(Duration::from_secs(10), server.task)
        .await
        .expect("the server waits for a client that does not read")
        .unwrap()
        .unwrap();
}
