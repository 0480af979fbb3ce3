//! What arrives, and what becomes of what does not.

use std::time::Duration;

use jiff::Timestamp;
use trellis_core::WebhookState;
use trellis_jobs::NextDelivery;
use trellis_webhook::DeliveryOutcome;

use crate::kit::{Place, Receiver, status};

const LONG: Duration = Duration::from_secs(60);
const LOOPBACK: &[&str] = &["127.0.0.1"];

#[tokio::test]
async fn the_end_of_a_job_arrives_signed_and_the_job_says_so() {
    let receiver = Receiver::new(|_| status("204 No Content")).await;
    let place = Place::new();
    let _delivering = place.deliver(LOOPBACK, LONG);
    let url = format!("http://{}/hook?token=x", receiver.address);
    let job = place.ended(&url, "127.0.0.1").await;
    let shown = place.tried(job).await;
    assert_eq!(
        (shown.state, shown.problem),
        (Some(WebhookState::Delivered), None)
    );
    assert_eq!(place.outcomes.all(), [DeliveryOutcome::Delivered]);

    let [request] = &receiver.requests()[..] else {
        panic!("{:?}", receiver.requests());
    };
    let header = |name: &str| request.headers[name].clone();
    assert!(header("webhook-id").starts_with("evt_"));
    assert!(header("webhook-signature").starts_with("v1,"));
    assert_eq!(header("webhook-key-id").len(), 8);
    assert_eq!(header("content-type"), "application/json");
    let sent: i64 = header("webhook-timestamp").parse().unwrap();
    assert!((Timestamp::now().as_second() - sent).abs() < 60);
    // As followers of the job get it.
    let event = place.store.events(Some(job), 0, 99).await.unwrap().pop().unwrap();
    let body = &request.body;
    assert_eq!(body["type"], "job.succeeded");
    assert_eq!(body["timestamp"], event.at.to_string());
    assert_eq!(body["data"], serde_json::to_value(event).unwrap());
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_under_its_name() {
    let receiver = Receiver::new(|number| match number {
        0 => status("500 Internal Server Error"),
        _ => status("200 OK"),
    })
    .await;
    let place = Place::new();
    let delivering = place.deliver(LOOPBACK, LONG);
    let url = format!("http://{}/", receiver.address);
    let job = place.ended(&url, "127.0.0.1").await;
    let shown = place.tried(job).await;
    assert_eq!(
        (shown.state, shown.problem.as_deref()),
        (Some(WebhookState::Pending), Some("it answered 500"))
    );
    delivering.stop().await;
    // As if its time had come.
    let claimed = place
        .store
        .claim_delivery(
            Timestamp::now() + jiff::SignedDuration::from_secs(10),
            Duration::ZERO,
            &[],
        )
        .await
        .unwrap();
    let NextDelivery::Now(delivery) = claimed else {
        panic!("{claimed:?}");
    };
    let again = trellis_jobs::Settled::Again {
        at: Timestamp::now(),
        problem: "now".to_owned(),
    };
    place.store.settle_delivery(&delivery, again).await.unwrap();
    let _delivering = place.deliver(LOOPBACK, LONG);
    while receiver.requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ids: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| request.headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more() {
    let receiver = Receiver::new(|_| status("410 Gone")).await;
    let place = Place::new();
    let _delivering = place.deliver(LOOPBACK, LONG);
    let job = place
        .ended(&format!("http://{}/", receiver.address), "127.0.0.1")
        .await;
    let shown = place.tried(job).await;
    assert_eq!(
        (shown.state, shown.problem.as_deref()),
        (Some(WebhookState::GivenUp), Some("it answered 410"))
    );
    assert_eq!(place.outcomes.all(), [DeliveryOutcome::GivenUp]);
}

#[tokio::test]
async fn a_stop_leaves_what_is_on_its_way_to_the_next_start() {
    let receiver = Receiver::new(|_| String::new()).await;
    let place = Place::new();
    let delivering = place.deliver(LOOPBACK, LONG);
    let job = place
        .ended(&format!("http://{}/", receiver.address), "127.0.0.1")
        .await;
    while receiver.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    delivering.stop().await;
    let next = place
        .store
        .claim_delivery(Timestamp::now(), LONG, &[])
        .await
        .unwrap();
    assert!(
        matches!(&next, NextDelivery::Now(delivery) if delivery.event.job == job),
        "{next:?}"
    );
}
