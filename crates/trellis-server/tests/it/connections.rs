//! Clients that keep connections without using them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use trellis_server::{HttpLimits, Pace, ReadingPace};

use crate::kit::{Kit, Served, Wishes};

const LIVE: &[u8] = b"GET /v1/health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn kit(connections: usize, header_time: Duration) -> Kit {
    Kit::with(Wishes {
        limits: HttpLimits {
            connections,
            header_time,
            ..HttpLimits::default()
        },
        ..Wishes::default()
    })
}

async fn connect(server: &Served) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// The answer's status line, on a connection that stays open.
async fn status(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Whether the server ended the connection; it may have said something before.
async fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

#[tokio::test]
async fn headers_that_never_end_end_the_connection() {
    let kit = kit(64, Duration::from_millis(200));
    let server = kit.serve().await;
    for beginning in [&b""[..], b"GET /v1/health/live HTTP/1.1\r\nhost: loc"] {
        let mut slow = connect(&server).await;
        slow.write_all(beginning).await.unwrap();
        assert!(ended(&mut slow).await, "{beginning:?}");
    }
    let mut used = connect(&server).await;
    assert_eq!(status(&mut used, LIVE).await, "HTTP/1.1 200 OK");
    assert!(ended(&mut used).await, "an idle connection");
}

#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    let kit = kit(8, Duration::from_secs(600));
    let server = kit.serve().await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(connect(&server).await);
        let mut working = connect(&server).await;
        assert_eq!(status(&mut working, LIVE).await, "HTTP/1.1 200 OK");
    }
    assert!(ended(&mut silent[0]).await, "the longest idle one made room");
}

#[tokio::test]
async fn a_connection_at_work_is_never_ended_for_another() {
    let kit = kit(8, Duration::from_secs(600));
    let job = kit.submit().await;
    let server = kit.serve().await;
    let follow = format!("GET /v1/jobs/{job}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut followers = Vec::new();
    for _ in 0..6 {
        let mut follower = connect(&server).await;
        assert_eq!(status(&mut follower, follow.as_bytes()).await, "HTTP/1.1 200 OK");
        followers.push(follower);
    }
    // Three quarters are at work for this one address: it gets no more until one ends.
    let mut seventh = connect(&server).await;
    assert_eq!(
        status(&mut seventh, LIVE).await,
        "HTTP/1.1 503 Service Unavailable"
    );
    let mut why = connect(&server).await;
    let mut answer = String::new();
    why.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.contains("urn:trellis-server:problem:too_many_connections"),
        "{answer}"
    );
    drop(followers.pop());
    let room = timeout(Duration::from_secs(10), async {
        loop {
            let mut next = connect(&server).await;
            if status(&mut next, LIVE).await.ends_with("200 OK") {
                return;
            }
        }
    });
    room.await.expect("a follower that left makes room");
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_refused() {
    let kit = Kit::with(Wishes {
        limits: HttpLimits {
            pace: Pace {
                grace: Duration::from_millis(300),
                bytes_per_second: 10_000,
                whole: Duration::from_secs(60),
            },
            ..HttpLimits::default()
        },
        ..Wishes::default()
    });
    let server = kit.serve().await;
    let mut slow = connect(&server).await;
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = slow.into_split();
    let dripping = tokio::spawn(async move {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = String::new();
    let read = timeout(Duration::from_secs(10), reading.read_to_string(&mut answer)).await;
    dripping.abort();
    read.expect("the connection ends").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("urn:trellis-server:problem:body_too_slow"),
        "{answer}"
    );
}

/// Neither the connection nor the open file is kept by a client that asks and does not read.
#[tokio::test]
async fn who_does_not_read_the_answer_is_left() {
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
    // More than the system keeps for a client.
    kit.succeed(&kit.claim().await, &vec![7; 32 << 20]).await;
    let server = kit.serve().await;
    let fetch = format!("GET /v1/jobs/{job}/artifacts/model.glb HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut silent = connect(&server).await;
    silent.write_all(fetch.as_bytes()).await.unwrap();
    server.stop.cancel();
    // It ends once nothing is in work.
    let ended = timeout(Duration::from_secs(10), server.task).await;
    ended
        .expect("the server waits for a client that does not read")
        .unwrap()
        .unwrap();
}
