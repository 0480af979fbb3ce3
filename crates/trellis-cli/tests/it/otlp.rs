//! The export of spans, to a collector that keeps what it is sent.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::Value;

use crate::kit::client::get;
use crate::kit::picture;
use crate::kit::server::Server;

type Kept = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn collector() -> (String, Kept) {
    let kept = Kept::default();
    let keep = async |State(kept): State<Kept>, headers: HeaderMap, body: Bytes| {
        kept.lock().unwrap().push((headers, body));
    };
    let router = Router::new()
        .route("/v1/traces", post(keep))
        .with_state(Arc::clone(&kept));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), kept)
}

fn has(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

/// A request and its job are children of the client's step; paths and keys are not told.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_job_are_told_as_children_of_the_client() {
    let home = tempfile::tempdir().unwrap();
    let (endpoint, kept) = collector().await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=studio"),
        ("NO_PROXY", "*"),
    ];
    let server = Server::start_with(home.path(), &[], &variables);
    let photo = home.path().join("photo.png");
    std::fs::write(&photo, picture::png(96, 90)).unwrap();
    let submitted = std::process::Command::new("curl")
        .args(["-sS", "--fail-with-body", "-H", "prefer: wait=60"])
        .args([
            "-H",
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ])
        .args(["-F", &format!("image=@{}", photo.display())])
        .arg(format!("{}/v1/jobs", server.address))
        .output()
        .unwrap();
    let job: Value = serde_json::from_slice(&submitted.stdout).unwrap();
    assert_eq!(job["state"], "succeeded", "{job}");
    get(
        &format!("{}/v1/jobs?limit=7", server.address),
        Some("a-secret-of-somebody"),
    )
    .await;
    server.signal("TERM");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    let kept = kept.lock().unwrap();
    assert!(kept.iter().all(|(headers, _)| {
        headers["x-tenant"] == "studio" && headers["content-type"] == "application/x-protobuf"
    }));
    let told: Vec<u8> = kept.iter().flat_map(|(_, body)| body.to_vec()).collect();
    for text in [
        "trellis-server",
        "POST /v1/jobs",
        "GET /v1/jobs",
        "attempt",
        "http.response.status_code",
    ] {
        assert!(has(&told, text.as_bytes()), "{text}");
    }
    assert!(has(&told, job["id"].as_str().unwrap().as_bytes()));
    // The trace of both, and the step that they are children of: fields of bytes.
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let parent = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
    for bytes in [&trace[..], &parent] {
        let times = told
            .windows(bytes.len())
            .filter(|window| *window == bytes)
            .count();
        assert_eq!(times, 2, "the request and the attempt");
    }
    for secret in ["a-secret", "limit=7", "photo"] {
        assert!(!has(&told, secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let home = tempfile::tempdir().unwrap();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    let server = Server::start_with(home.path(), &[], &variables);
    assert_eq!(get(&format!("{}/v1/version", server.address), None).await.0, 200);
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}
