//! The client against servers that fail in the middle of things.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use trellis_client::{Client, ClientError, Submission};
use trellis_core::{Artifact, BackendChoice, JobId, ParamsPatch, Secret};

const ID: &str = "01932f5e-7a4c-7d3e-8b21-0123456789ab";

/// What was asked: method and path, then the headers that matter here.
type Asked = Arc<Mutex<Vec<String>>>;
/// What is answered, in this order: a status and a body.
type Answers = Arc<Mutex<VecDeque<(u16, Vec<u8>)>>>;

async fn answer(State((asked, answers)): State<(Asked, Answers)>, request: Request) -> Response {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value
            .map(|value| value.to_str().unwrap_or_default().to_owned())
            .unwrap_or_default()
    };
    let line = format!(
        "{} {} {}{}{}",
        request.method(),
        request.uri(),
        header("idempotency-key"),
        header("last-event-id"),
        header("authorization"),
    );
    asked.lock().expect("no test panics here").push(line);
    let (status, body) = answers
        .lock()
        .expect("no test panics here")
        .pop_front()
        .expect("no more was expected");
    let status = axum::http::StatusCode::from_u16(status).expect("a status");
    let mut response = (status, Bytes::from(body)).into_response();
    if status.as_u16() == 503 {
        response
            .headers_mut()
            .insert("retry-after", axum::http::HeaderValue::from_static("1"));
    }
    response
}

/// A server that gives these answers, and what it was asked.
async fn server(answers: Vec<(u16, Vec<u8>)>) -> (Client, Asked) {
    let asked = Asked::default();
    let state = (asked.clone(), Arc::new(Mutex::new(answers.into())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let app = Router::new().fallback(answer).with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Client::new(&address, None).expect("an address"), asked)
}

fn job(state: &str) -> Vec<u8> {
    let job: Value = json!({
        "id": ID, "state": state, "backend": "auto", "inputs": [], "artifacts": [], "notes": [],
        "params": ParamsPatch::default().resolve(7).expect("defaults are in range"),
        "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z",
        "attempt": 1, "history": [],
    });
    job.to_string().into_bytes()
}

fn event(seq: u64) -> Vec<u8> {
    let event = json!({
        "seq": seq, "job": ID, "at": "2025-01-01T00:00:00Z", "type": "progress",
        "stage": "texture", "step": seq, "total": 9,
    });
    format!("id: {seq}\ndata: {event}\n\n").into_bytes()
}

fn id() -> JobId {
    ID.parse().expect("an id")
}

fn asked(asked: &Asked) -> Vec<String> {
    asked.lock().expect("no test panics here").clone()
}

#[tokio::test]
async fn a_busy_server_is_asked_again_under_the_same_key() {
    let busy = br#"{"type":"urn:trellis-server:problem:queue_full","detail":"the queue is full"}"#;
    let (client, log) = server(vec![(503, busy.to_vec()), (202, job("queued"))]).await;
    let submission = Submission {
        pictures: &[Bytes::from_static(b"picture")],
        name: None,
        params: &ParamsPatch::default(),
        backend: BackendChoice::Auto,
        no_cache: false,
    };
    let mut told = String::new();
    let job = client
        .submit(&submission, |problem| told.clone_from(&problem.message))
        .await;
    assert_eq!(job.unwrap().id, id());
    assert_eq!(told, "the queue is full");
    let asked = asked(&log);
    assert!(
        asked[0].starts_with("POST /v1/jobs ") && asked[0].len() > 40,
        "{asked:?}"
    );
    assert_eq!(asked[0], asked[1]);
}

#[tokio::test]
async fn a_broken_stream_goes_on_after_the_last_event() {
    let (client, log) = server(vec![
        (200, event(3)),
        (200, job("running")),
        (500, vec![]),
        (200, job("running")),
        (200, event(4)),
        (200, job("succeeded")),
    ])
    .await;
    let mut seen = Vec::new();
    let done = client.follow(id(), |event| seen.push(event.seq)).await.unwrap();
    assert!(done.state.is_final());
    assert_eq!(seen, [3, 4]);
    let streams: Vec<String> = asked(&log).into_iter().step_by(2).collect();
    assert_eq!(
        streams,
        ["", "3", "3"].map(|after| format!("GET /v1/jobs/{ID}/events {after}"))
    );
}

#[tokio::test]
async fn a_job_that_is_gone_ends_the_wait() {
    let gone = br#"{"type":"urn:trellis-server:problem:unknown_job","detail":"gone"}"#.to_vec();
    let (client, _) = server(vec![(404, gone.clone()), (404, gone)]).await;
    let error = client.wait(id()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        ("unknown_job", "gone")
    );
}

#[tokio::test]
async fn a_damaged_file_is_downloaded_again() {
    let artifact: Artifact = serde_json::from_value(json!({
        "name": "model.glb", "format": "glb", "media_type": "model/gltf-binary", "size_bytes": 3, "preview": false,
        // FIPS 180-2, appendix B.1.
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }))
    .unwrap();
    let (client, _) = server(vec![(200, b"ab".to_vec()), (200, b"abc".to_vec())]).await;
    assert_eq!(client.download(id(), &artifact).await.unwrap(), "abc");
    let (client, _) = server(vec![(200, b"ab".to_vec()); 4]).await;
    let error = client.download(id(), &artifact).await.unwrap_err();
    assert!(matches!(error, ClientError::Damaged { name } if name == "model.glb"));
    // What the server refuses stays refused.
    let (client, log) = server(vec![(410, vec![])]).await;
    assert!(client.download(id(), &artifact).await.is_err());
    assert_eq!(asked(&log).len(), 1);
}

#[tokio::test]
async fn a_server_that_speaks_otherwise_is_named() {
    let (client, _) = server(vec![(200, b"hello".to_vec())]).await;
    let error = client.info().await.unwrap_err();
    assert_eq!(error.kind(), "not_understood");
    assert!(error.to_string().contains(client.address()), "{error}");
    let closed = Client::new("http://127.0.0.1:1", None).unwrap();
    let error = closed.info().await.unwrap_err();
    assert_eq!(error.kind(), "unreachable");
    assert!(
        error.to_string().starts_with("no answer at http://127.0.0.1:1: "),
        "{error}"
    );
}

#[tokio::test]
async fn the_key_is_sent_and_not_shown() {
    let (client, log) = server(vec![(200, br#"{"backends":[]}"#.to_vec())]).await;
    let key = Secret::parse("hunter2").unwrap();
    let client = Client::new(client.address(), Some(&key)).unwrap();
    client.info().await.unwrap();
    assert_eq!(asked(&log), ["GET /v1/version Bearer hunter2"]);
    assert!(!format!("{client:?}").contains("hunter2"));
}
