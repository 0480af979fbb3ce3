//! Submissions that name a webhook.

use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use trellis_jobs::{NextDelivery, Settled};
use trellis_webhook::{DeliveryObserver as _, DeliveryOutcome};

use crate::kit::{Answer, Kit, Wishes, form, png, png_uri, submission};

const URL: &str = "https://hooks.example/trellis?token=secret";

async fn asked(kit: &Kit, fields: Value) -> Answer {
    let mut body = json!({"images": [png_uri()]});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    kit.send(submission(&body)).await
}

#[tokio::test]
async fn a_job_shows_its_webhook_without_the_query() {
    let kit = Kit::new();
    let shown = "https://hooks.example/trellis";
    let by_json = asked(
        &kit,
        json!({"webhook": URL, "webhook_events": ["running", "failed"]}),
    )
    .await;
    let parts: [(&str, &[u8]); 4] = [
        ("image", &png()),
        ("webhook", URL.as_bytes()),
        ("webhook_events", b"failed"),
        ("webhook_events", b"running"),
    ];
    let by_form = kit.send(form(&parts)).await;
    for answer in [by_json, by_form] {
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        for answer in [answer, kit.get(&format!("/v1/jobs/{id}")).await] {
            let expected = json!({"url": shown, "events": ["running", "failed"]});
            assert_eq!(answer.json()["webhook"], expected);
            assert!(!answer.text().contains("secret"), "{}", answer.text());
        }
    }
    let default = asked(&kit, json!({"webhook": URL})).await;
    assert_eq!(
        default.json()["webhook"]["events"],
        json!(["succeeded", "failed", "cancelled"])
    );
    assert_eq!(
        asked(&kit, json!({"webhook": null})).await.json()["webhook"],
        Value::Null
    );
}

/// Whoever watches sees messages that pile up.
#[tokio::test]
async fn messages_that_wait_are_counted() {
    let kit = Kit::new();
    let figures = async || {
        let text = kit.get("/metrics").await.text();
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("trellis_webhook_messages"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let waiting = |new, retried| {
        [
            format!(r#"{{state="new"}} {new}"#),
            format!(r#"{{state="retried"}} {retried}"#),
        ]
    };
    assert_eq!(figures().await, waiting(0, 0));
    asked(&kit, json!({"webhook": URL})).await;
    kit.succeed(&kit.claim().await, b"glTF").await;
    assert_eq!(figures().await, waiting(1, 0));
    let store = &kit.state.jobs.store;
    let claimed = store
        .claim_delivery(Timestamp::now(), Duration::from_secs(30), &[])
        .await;
    let NextDelivery::Now(delivery) = claimed.unwrap() else {
        panic!("one is due");
    };
    let settled = Settled::Again {
        at: Timestamp::now(),
        problem: "it answered 500".to_owned(),
    };
    store.settle_delivery(&delivery, settled).await.unwrap();
    assert_eq!(figures().await, waiting(0, 1));
}

#[tokio::test]
async fn a_webhook_that_cannot_be_used_is_refused_before_there_is_a_job() {
    let kit = Kit::new();
    for (fields, kind) in [
        (json!({"webhook": "https://127.0.0.1/"}), "webhook_not_allowed"),
        (json!({"webhook": "https://2130706433/"}), "webhook_not_allowed"),
        (
            json!({"webhook": "https://[::ffff:127.0.0.1]/"}),
            "webhook_not_allowed",
        ),
        (json!({"webhook": "http://hooks.example/"}), "webhook_not_allowed"),
        (
            json!({"webhook": "https://a:b@hooks.example/"}),
            "invalid_webhook",
        ),
        (json!({"webhook": ""}), "invalid_webhook"),
        (json!({"webhook": URL, "webhook_events": []}), "invalid_webhook"),
        (json!({"webhook_events": ["failed"]}), "invalid_webhook"),
        (
            json!({"webhook": URL, "webhook_events": ["ended"]}),
            "invalid_json",
        ),
        (json!({"webhook": 7}), "invalid_json"),
    ] {
        let answer = asked(&kit, fields.clone()).await;
        answer.assert_problem(422, kind);
    }
    let twice: [(&str, &[u8]); 3] = [
        ("image", &png()),
        ("webhook", URL.as_bytes()),
        ("webhook", URL.as_bytes()),
    ];
    kit.send(form(&twice)).await.assert_problem(422, "invalid_part");
    let unknown: [(&str, &[u8]); 3] = [
        ("image", &png()),
        ("webhook", URL.as_bytes()),
        ("webhook_events", b"ended"),
    ];
    let answer = kit.send(form(&unknown)).await;
    answer.assert_problem(422, "invalid_part");
    assert!(
        answer.text().contains("choose from `queued`"),
        "{}",
        answer.text()
    );
    assert_eq!(kit.get("/v1/jobs").await.json()["jobs"], json!([]));
}

#[tokio::test]
async fn a_server_without_a_secret_has_no_webhooks() {
    let kit = Kit::with(Wishes {
        webhooks: None,
        ..Wishes::default()
    });
    let answer = asked(&kit, json!({"webhook": URL})).await;
    answer.assert_problem(422, "webhooks_off");
    assert!(
        answer.text().contains("webhooks.secret_file"),
        "{}",
        answer.text()
    );
    assert_eq!(asked(&kit, json!({})).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn deliveries_are_counted_by_what_they_came_to() {
    let kit = Kit::new();
    for outcome in [
        DeliveryOutcome::Delivered,
        DeliveryOutcome::Delivered,
        DeliveryOutcome::GivenUp,
    ] {
        kit.state.metrics.attempted(outcome);
    }
    let text = kit.get("/metrics").await.text();
    for line in [
        r#"trellis_webhook_deliveries_total{outcome="delivered"} 2"#,
        r#"trellis_webhook_deliveries_total{outcome="given_up"} 1"#,
    ] {
        assert!(text.contains(line), "{text}");
    }
}
