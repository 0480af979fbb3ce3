//! `GET /v1/jobs/{id}/events`.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use futures::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::kit::{Kit, Served, request, settled};

/// Longer than anything here takes, shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that follows a job over a real connection. HTTP/1.0, so that the body is not in chunks.
struct Follower(BufReader<TcpStream>);

struct Heard {
    id: u64,
    event: String,
    data: Value,
}

impl Follower {
    async fn connect(server: &Served, job: &str, after: Option<u64>) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let after = after.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET /v1/jobs/{job}/events HTTP/1.0\r\n{after}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event, or `None` at the end.
    async fn next(&mut self) -> Option<Heard> {
        let mut fields: Vec<(String, String)> = Vec::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line))
                .await
                .expect("an event in time");
            if read.unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            match line.split_once(": ") {
                Some((name, value)) => fields.push((name.to_owned(), value.to_owned())),
                None if fields.iter().any(|(name, _)| name == "data") => break,
                None => fields.clear(),
            }
        }
        let field = |name: &str| fields.iter().find(|(of, _)| of == name).unwrap().1.clone();
        Some(Heard {
            id: field("id").parse().unwrap(),
            event: field("event"),
            data: serde_json::from_str(&field("data")).unwrap(),
        })
    }
}

#[tokio::test]
async fn a_follower_that_comes_back_misses_nothing() {
    let kit = Kit::new();
    let server = kit.serve().await;
    let job = kit.submit().await;
    let mut follower = Follower::connect(&server, &job, None).await;
    let mut heard = vec![follower.next().await.unwrap()];
    let claim = kit.claim().await;
    kit.progress(&claim, 1).await;
    heard.push(follower.next().await.unwrap());
    heard.push(follower.next().await.unwrap());
    drop(follower);
    kit.progress(&claim, 2).await;
    kit.deliver_preview(&claim, b"quick").await;
    let mut follower = Follower::connect(&server, &job, Some(heard[2].id)).await;
    heard.push(follower.next().await.unwrap());
    kit.succeed(&claim, b"slow").await;
    while let Some(event) = follower.next().await {
        heard.push(event);
    }
    let stored = kit
        .state
        .jobs
        .store
        .events(Some(job.parse().unwrap()), 0, 100)
        .await
        .unwrap();
    let ids: Vec<u64> = heard.iter().map(|event| event.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    // The store forgets progress that newer progress overtook; whoever followed has heard it.
    assert!(stored.iter().all(|event| ids.contains(&event.seq)), "{ids:?}");
    let told = heard.into_iter().map(|event| {
        assert_eq!(event.data["type"], event.event);
        assert_eq!(event.data["seq"], event.id);
        settled(event.data)
    });
    insta::assert_json_snapshot!(told.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_finished_job_is_told_once_and_then_has_no_content() {
    let kit = Kit::new();
    let job = kit.submit().await;
    kit.fail(&kit.claim().await).await;
    let path = format!("/v1/jobs/{job}/events");
    let whole = kit.get(&path).await;
    assert_eq!(
        (whole.status, whole.header("content-type")),
        (StatusCode::OK, "text/event-stream")
    );
    assert_eq!(whole.header("x-accel-buffering"), "no");
    assert!(
        whole.text().starts_with("retry: 2000\n: following\n\nid: "),
        "{}",
        whole.text()
    );
    let last = kit
        .state
        .jobs
        .store
        .events(Some(job.parse().unwrap()), 0, 100)
        .await
        .unwrap()
        .pop()
        .unwrap()
        .seq;
    let after = |id: String| {
        request(Method::GET, &path)
            .header("last-event-id", id)
            .body(Body::empty())
            .unwrap()
    };
    for id in [last.to_string(), i64::MAX.to_string()] {
        let again = kit.send(after(id)).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NO_CONTENT, 0));
    }
    for id in ["x", "", "-1", "+1", "9223372036854775808"] {
        kit.send(after(id.to_owned()))
            .await
            .assert_problem(400, "invalid_header");
    }
}

#[tokio::test]
async fn a_follower_from_the_future_is_let_go_when_the_job_ends() {
    let kit = Kit::new();
    let server = kit.serve().await;
    let job = kit.submit().await;
    let mut follower = Follower::connect(&server, &job, Some(i64::MAX.unsigned_abs())).await;
    let claim = kit.claim().await;
    kit.succeed(&claim, b"glb").await;
    assert!(follower.next().await.is_none());
}

#[tokio::test]
async fn a_deleted_job_ends_its_stream() {
    let kit = Kit::new();
    let server = kit.serve().await;
    let job = kit.submit().await;
    let mut follower = Follower::connect(&server, &job, None).await;
    assert_eq!(follower.next().await.unwrap().data["state"], "queued");
    let path = format!("/v1/jobs/{job}");
    for status in [StatusCode::OK, StatusCode::NO_CONTENT] {
        let delete = request(Method::DELETE, &path).body(Body::empty()).unwrap();
        assert_eq!(kit.send(delete).await.status, status);
    }
    while follower.next().await.is_some() {}
}

#[tokio::test]
async fn followers_are_let_go_when_the_server_stops() {
    let kit = Kit::new();
    let server = kit.serve().await;
    let job = kit.submit().await;
    let mut follower = Follower::connect(&server, &job, None).await;
    follower.next().await.unwrap();
    server.stop.cancel();
    assert!(follower.next().await.is_none());
    tokio::time::timeout(PATIENCE, server.task)
        .await
        .expect("the drain ends")
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_kept_alive_by_comments() {
    let kit = Kit::new();
    let job = kit.submit().await;
    let request = request(Method::GET, &format!("/v1/jobs/{job}/events"))
        .body(Body::empty())
        .unwrap();
    let response = trellis_server::app(kit.state.clone())
        .oneshot(request)
        .await
        .unwrap();
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    let started = tokio::time::Instant::now();
    while text.matches(": heartbeat").count() < 2 {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        started.elapsed() >= Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(text.matches("event: state").count(), 1, "{text}");
}

#[tokio::test]
async fn the_drain_finishes_a_download_that_is_under_way() {
    let kit = Kit::new();
    let server = kit.serve().await;
    let job = kit.submit().await;
    let content = vec![7; 3_000_000];
    kit.succeed(&kit.claim().await, &content).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /v1/jobs/{job}/artifacts/model.glb HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    server.stop.cancel();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("the rest in time")
        .unwrap();
    assert!(rest.ends_with(&content), "{} bytes", rest.len());
    tokio::time::timeout(PATIENCE, server.task)
        .await
        .expect("the drain ends")
        .unwrap()
        .unwrap();
}
