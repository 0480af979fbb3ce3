//! `/metrics`: what is counted, what is looked at, and who may ask.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trellis_core::{RestartKind, WorkerCounters};

use crate::kit::{Kit, Wishes, gpus, request};

fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|found| found == *line),
            "{line} is missing:\n{text}"
        );
    }
}

#[tokio::test]
async fn what_happens_to_jobs_is_counted() {
    let kit = Kit::new();
    for succeeds in [true, false] {
        kit.submit().await;
        let claim = kit.claim().await;
        if succeeds {
            kit.succeed(&claim, b"glTF").await;
        } else {
            kit.fail(&claim).await;
        }
    }
    kit.submit().await;
    kit.get("/v1/jobs/not-an-id").await;
    let answer = kit.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
    let text = answer.text();
    let lines = [
        "trellis_jobs_accepted_total 3",
        r#"trellis_jobs_finished_total{backend="paper",kind="none",model="trellis-image-large",state="succeeded"} 1"#,
        r#"trellis_jobs_finished_total{backend="none",kind="no_object",model="trellis-image-large",state="failed"} 1"#,
        r#"trellis_jobs{state="queued"} 1"#,
        r#"trellis_jobs{state="succeeded"} 1"#,
        "trellis_job_wait_seconds_count 2",
        r#"trellis_artifact_bytes_total{format="glb"} 4"#,
        r#"trellis_http_requests_total{method="POST",route="/v1/jobs",status="202"} 3"#,
        r#"trellis_http_requests_total{method="GET",route="/v1/jobs/{id}",status="400"} 1"#,
        r#"trellis_worker_state{state="ready",worker="paper-0"} 1"#,
        r#"trellis_build_info{version="1.2.3"} 1"#,
    ];
    assert_lines(&text, &lines);
    assert!(text.contains("\nprocess_cpu_seconds_total "), "{text}");
}

/// A client chooses paths, methods and their case: none of that may become a label of its own.
#[tokio::test]
async fn invented_paths_and_methods_make_no_new_figures() {
    let kit = Kit::new();
    let method = |name: &str| Method::from_bytes(name.as_bytes()).unwrap();
    for number in 0..20 {
        kit.get(&format!("/invented/{number}")).await;
        kit.get(&format!("/v1/jobs/invented-{number}")).await;
        for path in ["/v1/version", "/nowhere", "/metrics"] {
            let sent = request(method(&format!("INVENTED{number}")), path).body(Body::empty());
            kit.send(sent.unwrap()).await;
        }
    }
    for name in ["get", "PROPFIND", "TRACE", "CONNECT"] {
        let sent = request(method(name), "/v1/version").body(Body::empty());
        kit.send(sent.unwrap()).await;
    }
    let text = kit.get("/metrics").await.text();
    assert!(!text.to_lowercase().contains("invented"), "{text}");
    let values = |label: &str| -> BTreeSet<String> {
        let requests = text
            .lines()
            .filter(|line| line.starts_with("trellis_http_requests_total{"));
        let value = |line: &str| {
            Some(
                line.split_once(&format!("{label}=\""))?
                    .1
                    .split_once('"')?
                    .0
                    .to_owned(),
            )
        };
        requests.filter_map(value).collect()
    };
    assert_eq!(
        values("method"),
        BTreeSet::from(["GET", "other"].map(str::to_owned))
    );
    let routes = ["/metrics", "/v1/jobs/{id}", "/v1/version", "none"].map(str::to_owned);
    assert_eq!(values("route"), BTreeSet::from(routes));
    assert_lines(
        &text,
        &[r#"trellis_http_requests_total{method="GET",route="none",status="404"} 20"#],
    );
}

#[tokio::test]
async fn what_a_worker_counted_is_shown_as_it_stands() {
    let counters: Arc<Mutex<WorkerCounters>> = Arc::default();
    let kit = Kit::with(Wishes {
        counters: Arc::clone(&counters),
        ..Wishes::default()
    });
    *counters.lock().unwrap() = WorkerCounters {
        starts: 2,
        losses: 1,
        jobs_done: 5,
        vram_bytes: 9_000,
        ..WorkerCounters::default()
    };
    kit.get("/metrics").await;
    *counters.lock().unwrap() = WorkerCounters {
        starts: 4,
        losses: 2,
        recycles: 1,
        restarts: [(RestartKind::Hang, 2), (RestartKind::Command, 1)].into(),
        jobs_done: 7,
        jobs_failed: 3,
        lines_dropped: 11,
        rss_bytes: 6_000,
        vram_bytes: 8_000,
        peak_vram_bytes: 9_500,
    };
    // Asked twice: looking is not counting.
    kit.get("/metrics").await;
    assert_lines(
        &kit.get("/metrics").await.text(),
        &[
            r#"trellis_worker_starts_total{worker="paper-0"} 4"#,
            r#"trellis_worker_losses_total{worker="paper-0"} 2"#,
            r#"trellis_worker_recycles_total{worker="paper-0"} 1"#,
            r#"trellis_worker_restarts_total{kind="hang",worker="paper-0"} 2"#,
            r#"trellis_worker_restarts_total{kind="command",worker="paper-0"} 1"#,
            r#"trellis_worker_restarts_total{kind="crash",worker="paper-0"} 0"#,
            r#"trellis_worker_jobs_total{result="done",worker="paper-0"} 7"#,
            r#"trellis_worker_jobs_total{result="failed",worker="paper-0"} 3"#,
            r#"trellis_worker_dropped_log_lines_total{worker="paper-0"} 11"#,
            r#"trellis_worker_resident_memory_bytes{worker="paper-0"} 6000"#,
            r#"trellis_worker_vram_bytes{worker="paper-0"} 8000"#,
            r#"trellis_worker_peak_vram_bytes{worker="paper-0"} 9500"#,
            r#"trellis_worker_state{state="ready",worker="paper-0"} 1"#,
            r#"trellis_worker_state{state="loading",worker="paper-0"} 0"#,
        ],
    );
}

#[tokio::test]
async fn a_gpu_shows_what_its_driver_tells() {
    let kit = Kit::with(Wishes {
        gpus: gpus(),
        ..Wishes::default()
    });
    let text = kit.get("/metrics").await.text();
    let labels = r#"{gpu="GPU-8f1c",name="NVIDIA GeForce RTX 5090"}"#;
    for (name, value) in [
        ("memory_bytes", "32000"),
        ("memory_used_bytes", "20000"),
        ("temperature_celsius", "61"),
        ("utilisation_ratio", "0.75"),
        ("power_watts", "410.5"),
    ] {
        assert_lines(&text, &[&format!("trellis_gpu_{name}{labels} {value}")]);
    }
    // What is not told is not 0.
    let told: Vec<&str> = text.lines().filter(|line| line.contains("MIG-2a")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test]
async fn a_store_that_fails_leaves_out_its_figures_and_no_others() {
    let kit = Kit::new();
    kit.submit().await;
    let before = kit.get("/metrics").await.text();
    assert_lines(&before, &[r#"trellis_jobs{state="queued"} 1"#]);
    let database = rusqlite::Connection::open(kit.path().join("jobs.db")).unwrap();
    database
        .execute_batch("ALTER TABLE counts RENAME TO gone")
        .unwrap();
    let answer = kit.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(!text.contains("trellis_jobs{"), "{text}");
    assert_lines(
        &text,
        &[
            "trellis_jobs_accepted_total 1",
            r#"trellis_worker_state{state="ready",worker="paper-0"} 1"#,
        ],
    );
}

const KEYS: Option<&str> = Some("studio long-enough-for-a-secret scopes=admin");

#[tokio::test]
async fn they_need_a_key_where_the_server_has_keys() {
    let kit = Kit::with(Wishes {
        keys: KEYS,
        ..Wishes::default()
    });
    for path in ["/metrics", "/v1/metrics"] {
        kit.get(path).await.assert_problem(401, "api_key_missing");
    }
    let with_key =
        request(Method::GET, "/metrics").header("authorization", "Bearer long-enough-for-a-secret");
    let answer = kit.send(with_key.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("trellis_build_info"), "{}", answer.text());
}

#[tokio::test]
async fn they_are_open_where_that_is_set_and_nothing_else_is() {
    let kit = Kit::with(Wishes {
        keys: KEYS,
        public_metrics: true,
        ..Wishes::default()
    });
    for path in ["/metrics", "/v1/metrics"] {
        let answer = kit.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    for path in ["/v1/jobs", "/v1/workers", "/metrics/", "/metrics/x", "//metrics"] {
        kit.get(path).await.assert_problem(401, "api_key_missing");
    }
}

#[tokio::test]
async fn a_listener_of_its_own_serves_them_alone_and_without_a_key() {
    let kit = Kit::with(Wishes {
        keys: KEYS,
        ..Wishes::default()
    });
    let served = kit.serve_metrics().await;
    let ask = async |start: &str, host: &str| {
        let mut stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let head = format!("{start} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = ask("GET /metrics", "localhost").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("trellis_build_info"), "{answer}");
    for path in [
        "/v1/jobs",
        "/v1/version",
        "/v1/metrics",
        "/",
        "/docs",
        "/openapi.json",
    ] {
        let answer = ask(&format!("GET {path}"), "localhost").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(answer.contains("problem:route_not_found"), "{answer}");
    }
    let answer = ask("POST /metrics", "localhost").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    // A page of another site whose name was given this address gets nothing.
    let answer = ask("GET /metrics", "evil.example").await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    served.stop.cancel();
    served.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn silent_connections_make_room_for_one_that_asks() {
    let kit = Kit::new();
    let served = kit.serve_metrics().await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(tokio::net::TcpStream::connect(served.address).await.unwrap());
    }
    let mut asking = tokio::net::TcpStream::connect(served.address).await.unwrap();
    let head = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    asking.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // The oldest are closed, all but 16 at least; nothing was sent on them.
    for stream in &mut silent[..24] {
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut [0; 16])).await;
        let read = ended.expect("the connection is closed");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
}
