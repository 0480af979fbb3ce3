//! The headers that every answer has, whoever made it.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;
use trellis_server::AllowedOrigins;

use crate::kit::{Answer, Kit, Wishes, request, submission};

/// One of each kind: pages, jobs, files, events, problems of every layer, dialects, figures, methods.
async fn answers(kit: &Kit) -> Vec<(String, Answer)> {
    let job = kit.submit().await;
    kit.succeed(&kit.claim().await, b"glb").await;
    let mut answers = Vec::new();
    for path in [
        "/",
        "/docs",
        "/docs/style.css",
        "/openapi.json",
        "/metrics",
        "/v1/metrics",
        "/health",
        "/health/ready",
        "/v1/health/live",
        "/v1/health/ready",
        "/v1/version",
        "/v1/workers",
        "/v1/metadata",
        "/v1/models",
        "/v1/jobs",
        "/v1/jobs?limit=x",
        "/v1/jobs/none",
        &format!("/v1/jobs/{job}"),
        &format!("/v1/jobs/{job}/events"),
        &format!("/v1/jobs/{job}/artifacts/model.glb"),
        &format!("/v1/jobs/{job}/artifacts/none"),
        &format!("/v1/jobs/{job}/input/0"),
        "/nothing",
        &format!("/{}", "x".repeat(9000)),
    ] {
        let call = request(Method::GET, path).header(header::AUTHORIZATION, "Bearer s3cret-of-the-studio");
        answers.push((path.to_owned(), kit.send(call.body(Body::empty()).unwrap()).await));
    }
    let mut send = async |what: &str, request: Request<Body>| {
        answers.push((what.to_owned(), kit.send(request).await));
    };
    let empty = |method, path: &str| request(method, path).body(Body::empty()).unwrap();
    send("405", empty(Method::PUT, "/v1/jobs")).await;
    send("OPTIONS", empty(Method::OPTIONS, "/v1/jobs")).await;
    send("HEAD", empty(Method::HEAD, "/v1/version")).await;
    send("without a picture", submission(&json!({"images": []}))).await;
    send("NIM", empty(Method::POST, "/v1/infer")).await;
    send("crossworld", empty(Method::POST, "/generate")).await;
    let foreign = Request::get("/v1/jobs").header(header::HOST, "evil.example");
    send("421", foreign.body(Body::empty()).unwrap()).await;
    let wrong = request(Method::GET, "/v1/jobs").header(header::AUTHORIZATION, "Bearer wrong");
    send("a wrong key", wrong.body(Body::empty()).unwrap()).await;
    answers
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let answers = answers(&Kit::new()).await;
    for status in [200, 204, 400, 404, 405, 414, 421, 422] {
        assert!(
            answers.iter().any(|(_, answer)| answer.status == status),
            "nothing was answered with {status}"
        );
    }
    for (what, answer) in answers {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{what}");
        }
        let policy = answer.header("content-security-policy");
        for directive in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(directive), "{what}: {policy}");
        }
        assert!(!answer.header(header::CACHE_CONTROL).is_empty(), "{what}");
        if answer.status.is_client_error() {
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{what}");
        }
        // No page of another site reads anything.
        let mut names = answer.headers.keys();
        assert!(
            !names.any(|name| name.as_str().starts_with("access-control-")),
            "{what}"
        );
    }
}

/// What a key opened is no cache's, and a refusal is not remembered.
#[tokio::test]
async fn nothing_is_kept_of_answers_about_keys() {
    let kit = Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio"),
        ..Wishes::default()
    });
    for (key, status) in [("s3cret-of-the-studio", 200), ("a-guess-of-somebody", 401)] {
        let call = request(Method::GET, "/v1/jobs").header(header::AUTHORIZATION, format!("Bearer {key}"));
        let answer = kit.send(call.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    }
    let metrics = kit.serve_metrics().await;
    let mut stream = tokio::net::TcpStream::connect(metrics.address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request)
        .await
        .unwrap();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text)
        .await
        .unwrap();
    assert!(text.contains("\r\nx-content-type-options: nosniff\r\n"), "{text}");
}

#[tokio::test]
async fn sites_that_may_read_may_load_too() {
    let kit = Kit::with(Wishes {
        origins: AllowedOrigins::new(["https://studio.example"]).unwrap(),
        ..Wishes::default()
    });
    for (what, answer) in answers(&kit).await {
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            "cross-origin",
            "{what}"
        );
    }
}
