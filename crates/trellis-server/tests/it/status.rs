//! `/v1/status`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::kit::{Kit, Wishes, gpus};

async fn status(kit: &Kit) -> Value {
    let answer = kit.get("/v1/status").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

#[tokio::test]
async fn it_tells_what_the_server_does() {
    let kit = Kit::with(Wishes {
        gpus: gpus(),
        ..Wishes::default()
    });
    let mut shown = status(&kit).await;
    assert!(shown["started_at"].take().is_string());
    insta::assert_json_snapshot!(shown);
}

#[tokio::test]
async fn jobs_are_counted_by_state_and_since_the_start() {
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
    let _claim = kit.claim().await;
    kit.submit().await;
    let shown = status(&kit).await;
    assert_eq!(
        shown["jobs"],
        json!({"queued": 1, "running": 1, "succeeded": 1, "failed": 1, "cancelled": 0})
    );
    assert_eq!(
        shown["since_start"],
        json!({"accepted": 4, "cached": 0, "succeeded": 1, "failed": 1, "cancelled": 0})
    );
    assert_eq!(shown["started_at"], status(&kit).await["started_at"]);
}

#[tokio::test]
async fn a_database_that_does_not_answer_leaves_out_its_counts_alone() {
    let kit = Kit::new();
    kit.submit().await;
    let database = rusqlite::Connection::open(kit.path().join("jobs.db")).unwrap();
    database
        .execute_batch("ALTER TABLE counts RENAME TO gone")
        .unwrap();
    let shown = status(&kit).await;
    assert_eq!(shown.get("jobs"), None);
    assert_eq!(shown["since_start"]["accepted"], 1);
    assert_eq!(shown["workers"][0]["name"], "paper-0");
}

#[tokio::test]
async fn it_needs_a_key_where_the_server_has_keys() {
    let kit = Kit::with(Wishes {
        keys: Some("studio long-enough-for-a-secret"),
        ..Wishes::default()
    });
    assert_eq!(kit.get("/v1/status").await.status, StatusCode::UNAUTHORIZED);
}
