//! What no answer may say.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;

use crate::kit::{Kit, png_uri, request, submission};

/// Breaks the storage in every way that an unprivileged test can, and reads all that is answered.
#[tokio::test]
async fn no_answer_holds_the_path_of_the_data_directory() {
    let kit = Kit::new();
    let id = kit.submit().await;
    kit.succeed(&kit.claim().await, b"glb").await;
    let blobs = kit.path().join("blobs");
    std::fs::remove_dir_all(&blobs).unwrap();
    // A file where the folder was: nothing can be written or read below it.
    std::fs::write(&blobs, b"").unwrap();
    let mut answers = Vec::new();
    for path in ["", "/events", "/artifacts/model.glb", "/input/0", "/artifacts/x"] {
        answers.push(kit.get(&format!("/v1/jobs/{id}{path}")).await);
    }
    for path in [
        "/v1/jobs",
        "/v1/version",
        "/v1/health/ready",
        "/",
        "/docs",
        "/openapi.json",
        "/nothing",
    ] {
        answers.push(kit.get(path).await);
    }
    answers.push(kit.send(submission(&json!({"images": [png_uri()]}))).await);
    let storage_failed = answers
        .iter()
        .filter(|answer| answer.status.is_server_error())
        .count();
    assert_eq!(storage_failed, 3, "artifact, input, submission");
    answers.push(
        kit.send(
            request(Method::DELETE, &format!("/v1/jobs/{id}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await,
    );
    let folder = kit.path().to_str().unwrap();
    for answer in answers {
        assert!(!answer.text().contains(folder), "{}", answer.text());
        assert!(
            answer
                .headers
                .values()
                .all(|value| !String::from_utf8_lossy(value.as_bytes()).contains(folder))
        );
        if answer.status.is_server_error() {
            assert!(!answer.header(header::CONTENT_TYPE).is_empty());
        }
    }
}
