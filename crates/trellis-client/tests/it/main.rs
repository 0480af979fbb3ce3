//! The client against servers that fail in the middle of things.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use trellis_client::{Client, ClientError, Submission};
use trellis_core::{Artifact, AskedBackend, JobId, JobState, ParamsPatch, Priority, Secret};

const ID: &str = "01932f5e-7a4c-7d3e-8b21-0123456789ab";

/// What was asked: method and path, then the headers that matter here.
type Asked = Arc<Mutex<Vec<String>>>;
/// What is answered, in this order: a status and a body, of 307 the address.
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
    let to = axum::http::HeaderValue::from_bytes(&body);
    let mut response = (status, Bytes::from(body)).into_response();
    if status.as_u16() == 307 {
        let to = to.expect("an address");
        response.headers_mut().insert("location", to);
    }
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

/// A server that takes one job, and the bodies that it was sent.
async fn recorder() -> (Client, Asked) {
    let bodies = Asked::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let record = async |State(bodies): State<Asked>, body: String| {
        bodies.lock().expect("no test panics here").push(body);
        job("queued")
    };
    let app = Router::new().fallback(record).with_state(bodies.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Client::new(&address, None).expect("an address"), bodies)
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
        mesh: None,
        mesh_name: None,
        pictures: &[Bytes::from_static(b"picture")],
        name: None,
        params: &ParamsPatch::default(),
        backend: AskedBackend::Auto,
        priority: Priority::Normal,
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

/// An earlier version refuses a part that it does not know.
#[tokio::test]
async fn a_priority_is_sent_where_it_is_not_the_usual_one() {
    for (priority, sent) in [
        (Priority::Normal, None),
        (Priority::Low, Some("low")),
        (Priority::High, Some("high")),
    ] {
        let (client, bodies) = recorder().await;
        let submission = Submission {
            pictures: &[Bytes::from_static(b"picture")],
            mesh: None,
            mesh_name: None,
            name: None,
            params: &ParamsPatch::default(),
            backend: AskedBackend::Auto,
            priority,
            no_cache: false,
        };
        let job = client.submit(&submission, |_| {}).await.unwrap();
        assert_eq!(job.priority, Priority::Normal, "an earlier version does not tell");
        let body = asked(&bodies).remove(0);
        let (_, part) = body.split_once("name=\"priority\"\r\n\r\n").unzip();
        assert_eq!(part.and_then(|part| part.split("\r\n").next()), sent, "{body}");
    }
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
async fn a_cancel_deletes_nothing_and_says_how_the_job_ended() {
    let (client, log) = server(vec![(200, job("succeeded"))]).await;
    assert_eq!(client.cancel(id()).await.unwrap().state, JobState::Succeeded);
    assert!(
        asked(&log)[0].starts_with(&format!("POST /v1/jobs/{ID}/cancel")),
        "{:?}",
        asked(&log)
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
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("model.glb");
    let (client, _) = server(vec![(200, b"ab".to_vec()), (200, b"abc".to_vec())]).await;
    client.download(id(), &artifact, &place).await.unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), b"abc");
    for wrong in ["ab", "abd", "abcd"] {
        let (client, _) = server(vec![(200, wrong.into()); 4]).await;
        let error = client.download(id(), &artifact, &place).await.unwrap_err();
        assert!(matches!(error, ClientError::Damaged { name } if name == "model.glb"));
        assert!(!place.exists(), "nothing that is wrong stays");
    }
    // What the server refuses stays refused.
    let (client, log) = server(vec![(410, vec![])]).await;
    assert!(client.download(id(), &artifact, &place).await.is_err());
    assert_eq!(asked(&log).len(), 1);
    let (client, _) = server(vec![(200, b"abc".to_vec())]).await;
    let nowhere = folder.path().join("missing/model.glb");
    let error = client.download(id(), &artifact, &nowhere).await.unwrap_err();
    assert_eq!(error.kind(), "unwritable");
}

/// A job of a hostile server: `change` makes it one.
fn hostile(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&job("succeeded")).expect("it is JSON");
    change(&mut value);
    value.to_string().into_bytes()
}

#[tokio::test]
async fn names_and_sizes_of_files_are_checked_before_they_are_asked_for() {
    let file = |name: &str, size_bytes: u64| {
        json!([{
            "name": name, "format": "glb", "media_type": "model/gltf-binary", "size_bytes": size_bytes,
            "preview": false, "sha256": "0".repeat(64),
        }])
    };
    let statement = json!({
        "name": "x/../../../.bashrc", "media_type": "application/json", "size_bytes": 1, "sha256": "0".repeat(64),
    });
    for answer in [
        hostile(|job| job["artifacts"] = file("../../jobs?x=", 3)),
        hostile(|job| job["artifacts"] = file("/etc/passwd", 3)),
        hostile(|job| job["artifacts"] = file("..", 3)),
        hostile(|job| job["artifacts"] = file("model.glb", u64::MAX)),
        hostile(|job| job["statement"] = statement),
        hostile(|job| job["id"] = "01932f5e-7a4c-7d3e-8b21-ffffffffffff".into()),
    ] {
        let (client, log) = server(vec![(200, answer)]).await;
        assert_eq!(client.job(id()).await.unwrap_err().kind(), "not_understood");
        assert_eq!(asked(&log).len(), 1);
    }
}

#[tokio::test]
async fn a_servers_words_are_cut_and_cleaned() {
    let odd = format!("\x1b]0;owned\x07\n{}", "x".repeat(300_000));
    let answer = hostile(|job| {
        job["notes"] = json!(vec![&odd[..100]; 10_000]);
        job["failure"] = json!({ "kind": "internal", "message": odd, "fix": odd });
        job["made_by"] = json!(odd);
    });
    let problem = json!({ "type": odd, "detail": &odd[..50_000], "fix": &odd[..10] }).to_string();
    let (client, _) = server(vec![
        (200, answer),
        (400, problem.into_bytes()),
        (400, odd.clone().into()),
    ])
    .await;
    let job = client.job(id()).await.unwrap();
    let failure = job.failure.unwrap();
    let error = client.job(id()).await.unwrap_err();
    let shown = format!("{}{}{}{error}", failure.message, failure.fix, job.notes.join(""));
    assert!(!shown.contains(['\x1b', '\x07', '\n']));
    assert!(failure.message.len() < 1100 && error.to_string().len() < 1100 && job.notes.len() == 100);
    let error = client.job(id()).await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 400 Bad Request");
}

#[tokio::test]
async fn answers_and_events_have_an_end() {
    let (client, _) = server(vec![(200, vec![b' '; 5 << 20])]).await;
    let error = client.info().await.unwrap_err();
    assert!(error.to_string().ends_with("it is longer than 4.2 MB"), "{error}");
    let comments = vec![b':'; 17 << 20];
    let (client, _) = server(vec![(200, comments)]).await;
    let error = client.wait(id()).await.unwrap_err();
    assert!(error.to_string().ends_with("its events have no end"), "{error}");
    // Of another job, and of the past.
    let other = String::from_utf8(event(7))
        .unwrap()
        .replace("0123456789ab", "0123456789ac");
    let events = [event(5), event(5), event(4), other.into_bytes(), event(6)].concat();
    let (client, _) = server(vec![(200, events), (200, job("succeeded"))]).await;
    let mut seen = Vec::new();
    client.follow(id(), |event| seen.push(event.seq)).await.unwrap();
    assert_eq!(seen, [5, 6]);
}

#[tokio::test]
async fn another_address_is_named_and_not_followed() {
    let elsewhere = b"http://ada:secret@elsewhere.example/";
    let (client, log) = server(vec![(307, elsewhere.to_vec())]).await;
    let error = client.info().await.unwrap_err();
    assert_eq!(error.kind(), "redirected");
    assert!(
        error.to_string().contains("to `http://elsewhere.example`"),
        "{error}"
    );
    assert_eq!(asked(&log).len(), 1);
}

/// A file that the server keeps in another place.
#[tokio::test]
async fn a_file_is_fetched_where_the_server_says_without_the_key() {
    let bytes = b"glTF".to_vec();
    let artifact = Artifact {
        name: "model.glb".to_owned(),
        format: trellis_core::Format::Glb,
        media_type: "model/gltf-binary".to_owned(),
        size_bytes: 4,
        sha256: trellis_core::Sha256::of(&bytes),
        preview: false,
    };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("model.glb");
    let (storage, asked_there) =
        server(vec![(200, bytes.clone()), (307, b"http://127.0.0.1:1/".to_vec())]).await;
    let to = format!("{}/bucket/model.glb?signature=x", storage.address());
    let (client, _) = server(vec![
        (307, to.clone().into_bytes()),
        (307, to.into_bytes()),
        (307, b"/login".to_vec()),
    ])
    .await;
    let key = Secret::parse("hunter2").unwrap();
    let client = Client::new(client.address(), Some(&key)).unwrap();
    client.download(id(), &artifact, &place).await.unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), bytes);
    assert_eq!(asked(&asked_there), ["GET /bucket/model.glb?signature=x "]);
    // Once, and not to another part of the same server.
    for _ in 0..2 {
        let error = client.download(id(), &artifact, &place).await.unwrap_err();
        assert_eq!(error.kind(), "redirected");
    }
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
