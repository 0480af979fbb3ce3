//! Clients of a Unix socket, which have no address.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::kit::{Kit, Wishes};

/// The status of a request over the socket.
async fn status(socket: &std::path::Path, headers: &str) -> u16 {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request =
        format!("GET /v1/jobs HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Wrong keys of one client of the proxy do not slow the others, although nothing names the proxy.
#[tokio::test]
async fn the_peer_is_believed_where_a_request_comes_from() {
    let kit = Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio"),
        ..Wishes::default()
    });
    let socket = kit.path().join("socket");
    let stop = CancellationToken::new();
    let serving = trellis_server::serve(
        UnixListener::bind(&socket).unwrap(),
        kit.state.clone(),
        stop.clone().cancelled_owned(),
    );
    let serving = tokio::spawn(serving);
    let right = "authorization: Bearer s3cret-of-the-studio";
    let wrong = "authorization: Bearer a-guess-of-somebody";
    for _ in 0..10 {
        assert_eq!(
            status(&socket, &format!("{wrong}\r\nx-forwarded-for: 198.51.100.1")).await,
            401
        );
    }
    for (client, expected) in [
        ("\r\nx-forwarded-for: 198.51.100.1", 429),
        ("\r\nx-forwarded-for: 198.51.100.2", 200),
        ("", 200),
    ] {
        assert_eq!(
            status(&socket, &format!("{right}{client}")).await,
            expected,
            "{client}"
        );
    }
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_keys_it_is_open_and_names_count_as_elsewhere() {
    let kit = Kit::new();
    let socket = kit.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(trellis_server::serve(
        listener,
        kit.state.clone(),
        std::future::pending(),
    ));
    assert_eq!(status(&socket, "x-a: b").await, 200);
    let mut stream = UnixStream::connect(&socket).await.unwrap();
    let foreign = b"GET /v1/jobs HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    stream.write_all(foreign).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
}
