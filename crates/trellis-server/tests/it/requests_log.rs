//! The log's lines about requests: what is in them, what never is, how they are left out.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

use crate::kit::{Answer, Kit, Wishes, request};

const SECRET: &str = "the-secret-of-the-studio";

/// What is logged on this thread, which is the one that a test's server runs on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start(filter: &str) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(lines.finish()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn of_requests(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["target"] == "requests")
            .collect()
    }
}

async fn get(kit: &Kit, path: &str, key: &str) -> Answer {
    let call = request(Method::GET, path).header(header::AUTHORIZATION, format!("Bearer {key}"));
    kit.send(call.body(Body::empty()).unwrap()).await
}

fn kit() -> Kit {
    Kit::with(Wishes {
        keys: Some("studio the-secret-of-the-studio"),
        proxies: vec!["127.0.0.1"],
        ..Wishes::default()
    })
}

#[tokio::test]
async fn a_request_has_one_line_without_secrets() {
    let (log, _guard) = Log::start("info");
    let kit = kit();
    let answer = get(&kit, "/v1/jobs?limit=7&state=queued", SECRET).await;
    get(&kit, "/v1/jobs", "a-guess-of-somebody").await;
    get(&kit, "/v1/health/live", SECRET).await;
    get(&kit, "/hidden?limit=7", SECRET).await;
    let lines = log.of_requests();
    let of = |field: fn(&Value) -> &Value| lines.iter().map(field).cloned().collect::<Vec<_>>();
    assert_eq!(of(|line| &line["status"]), [200, 401, 404], "{lines:#?}");
    assert_eq!(
        of(|line| &line["span"]["route"]),
        ["/v1/jobs", "/v1/jobs", "none"]
    );
    assert_eq!(
        of(|line| &line["span"]["key"]),
        [Value::from("studio"), Value::Null, Value::from("studio")]
    );
    assert_eq!(lines[0]["bytes"], answer.body.len());
    assert_eq!(lines[0]["span"]["request"], answer.header("x-request-id"));
    assert_eq!(lines[0]["span"]["method"], "GET");
    for line in &lines {
        assert!(line["seconds"].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!(line["client"], "0.0.0.0");
        assert_eq!(line.get("cut_short"), None, "{line}");
        for secret in [SECRET, "a-guess", "hidden", "limit="] {
            assert!(!line.to_string().contains(secret), "{line}");
        }
    }
    assert!(!log.text().contains(SECRET) && !log.text().contains("a-guess"));
}

/// Of an answer, and of one that never came.
#[tokio::test]
async fn who_leaves_early_is_seen() {
    let (log, _guard) = Log::start("info");
    let kit = Kit::with(Wishes {
        proxies: vec!["127.0.0.1"],
        ..Wishes::default()
    });
    let job = kit.submit().await;
    let claim = kit.claim().await;
    let server = kit.serve().await;
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 198.51.100.7\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let waiting = ask(&format!("/v1/jobs/{job}?wait=60")).await;
    let mut following = ask(&format!("/v1/jobs/{job}/events")).await;
    following.read_exact(&mut [0; 64]).await.unwrap();
    drop((waiting, following));
    let seen = timeout(Duration::from_secs(10), async {
        while log.of_requests().len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    seen.await.expect("two more lines");
    let lines = log.of_requests();
    let mut cut: Vec<_> = lines.iter().filter(|line| line["cut_short"] == true).collect();
    cut.sort_by_key(|line| line["status"].as_u64());
    assert_eq!(cut.len(), 2, "{lines:#?}");
    assert_eq!(
        (cut[0].get("status"), cut[1]["status"].as_u64()),
        (None, Some(200))
    );
    assert!(cut[1]["bytes"].as_u64().unwrap() > 0);
    assert!(
        cut.iter().all(|line| line["client"] == "198.51.100.7"),
        "{cut:#?}"
    );
    kit.succeed(&claim, b"glb").await;
}

/// The HTTP library asks for no more once it has sent what `Content-Length` names.
#[tokio::test]
async fn a_file_that_was_sent_whole_is_not_cut_short() {
    let (log, _guard) = Log::start("info");
    let kit = Kit::new();
    let job = kit.submit().await;
    let claim = kit.claim().await;
    kit.succeed(&claim, &vec![7; 300 << 10]).await;
    let server = kit.serve().await;
    let path = format!("/v1/jobs/{job}/artifacts/model.glb");
    for (head, status, bytes) in [
        (format!("GET {path} HTTP/1.1"), 200, 300 << 10),
        (format!("GET {path} HTTP/1.1\r\nrange: bytes=0-9"), 206, 10),
        (format!("HEAD {path} HTTP/1.1"), 200, 0),
    ] {
        let before = log.of_requests().len();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        let lines = log.of_requests();
        let [line] = &lines[before..] else {
            panic!("one line each: {lines:#?}")
        };
        assert_eq!((&line["status"], &line["bytes"]), (&status.into(), &bytes.into()));
        assert_eq!(line.get("cut_short"), None, "{line}");
    }
}

#[tokio::test]
async fn a_filter_leaves_the_lines_out_or_shows_all() {
    for (filter, expected) in [
        ("info", 1),
        ("info,requests=off", 0),
        ("info,requests=debug", 2),
        ("warn", 0),
    ] {
        let (log, _guard) = Log::start(filter);
        let kit = kit();
        get(&kit, "/v1/version", SECRET).await;
        get(&kit, "/v1/health/live", SECRET).await;
        assert_eq!(log.of_requests().len(), expected, "{filter}: {}", log.text());
    }
}
