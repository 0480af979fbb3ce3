//! `/v1/workers`.

use axum::body::Body;
use axum::http::Method;

use crate::kit::{Kit, request};

#[tokio::test]
async fn workers_are_listed() {
    insta::assert_json_snapshot!(Kit::new().get("/v1/workers").await.json());
}

#[tokio::test]
async fn commands_reach_the_worker_of_that_name() {
    let kit = Kit::new();
    for (path, status, kind) in [
        ("/v1/workers/paper-0/restart", 202, None),
        ("/v1/workers/paper-0/drain", 202, None),
        ("/v1/workers/paper-9/drain", 404, Some("worker_not_found")),
        ("/v1/workers/paper-0/dance", 400, Some("invalid_path")),
    ] {
        let answer = kit
            .send(request(Method::POST, path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        if let Some(kind) = kind {
            assert_eq!(
                answer.json()["type"],
                format!("urn:trellis-server:problem:{kind}")
            );
        }
    }
}
