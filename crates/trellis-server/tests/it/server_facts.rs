//! `/v1/version` and `/v1/health/…`.

use trellis_backend::Readiness;
use trellis_core::{Failure, FailureKind};

use crate::kit::{Kit, Wishes};

type Backends = Vec<fn() -> Readiness>;

fn kit(readiness: Backends) -> Kit {
    Kit::with(Wishes {
        readiness,
        ..Wishes::default()
    })
}

fn ready() -> Readiness {
    Readiness::Ready
}

fn starting() -> Readiness {
    Readiness::Starting {
        reason: "loading checkpoints".to_owned(),
    }
}

fn unavailable() -> Readiness {
    Readiness::Unavailable {
        failure: Failure::new(FailureKind::DriverMissing, "there is no NVIDIA driver"),
    }
}

#[tokio::test]
async fn version_tells_backends_formats_and_limits() {
    let kit = kit(vec![unavailable, ready]);
    insta::assert_json_snapshot!(kit.get("/v1/version").await.json());
}

#[tokio::test]
async fn live_asks_nobody() {
    let answer = kit(Vec::new()).get("/v1/health/live").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, serde_json::json!({"status": "live"}))
    );
}

#[tokio::test]
async fn ready_needs_one_backend_that_can_work() {
    let mut told = Vec::new();
    let cases: [(Backends, u16); 4] = [
        (vec![ready], 200),
        (vec![starting, ready], 200),
        (vec![starting, unavailable], 503),
        (vec![], 503),
    ];
    for (readiness, status) in cases {
        let answer = kit(readiness).get("/v1/health/ready").await;
        assert_eq!(answer.status.as_u16(), status);
        told.push(answer.json());
    }
    insta::assert_json_snapshot!(told);
}

#[tokio::test]
async fn a_stopping_server_is_not_ready() {
    let kit = kit(vec![ready]);
    let server = kit.serve().await;
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
    let answer = kit.get("/v1/health/ready").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["message"]),
        (503, &"the server is stopping".into())
    );
}
