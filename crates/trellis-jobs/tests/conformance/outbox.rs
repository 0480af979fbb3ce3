//! Deliveries to webhooks: written with their event, claimed, settled.

#![expect(missing_docs, reason = "the names say what is tested")]

use futures::FutureExt as _;
use trellis_core::{EventKind, JobState, WebhookEvent, WebhookState};

use super::Fixture;
use super::kit::{LEASE, at, claim, new_job, outcome, outcome_of, step, webhook};
use crate::rules::Command;
use crate::{Delivery, JobStore, NewJob, NextDelivery, Settled};

/// The `n`th job, of which `n.example` is told.
fn hooked(n: u32, events: &[WebhookEvent]) -> NewJob {
    NewJob {
        webhook: Some(webhook(&format!("{n}.example"), events)),
        ..new_job(n)
    }
}

async fn next(store: &dyn JobStore, seconds: i64, passed_over: &[&str]) -> NextDelivery {
    let passed_over: Vec<String> = passed_over.iter().map(ToString::to_string).collect();
    store
        .claim_delivery(at(seconds), LEASE, &passed_over)
        .await
        .unwrap()
}

async fn due(store: &dyn JobStore, seconds: i64) -> Delivery {
    match next(store, seconds, &[]).await {
        NextDelivery::Now(delivery) => delivery,
        other => panic!("nothing is due at {seconds}: {other:?}"),
    }
}

/// Submits the `n`th job and has it done.
async fn done(store: &dyn JobStore, n: u32) {
    store.submit(hooked(n, &WebhookEvent::FINAL)).await.unwrap();
    let held = claim(store, "a", 10).await.unwrap();
    store.succeed(&held.lease, at(11), outcome(&held)).await.unwrap();
}

/// How many wait: untried and tried ones.
async fn waiting(store: &dyn JobStore) -> (u64, u64) {
    let waiting = store.waiting_deliveries().await.unwrap();
    (waiting.untried, waiting.tried)
}

fn in_vain(seconds: i64) -> Settled {
    Settled::Again {
        at: at(seconds),
        problem: "it answered 500".to_owned(),
    }
}

pub async fn a_job_s_end_waits_until_it_was_delivered<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let submitted = store.submit(hooked(1, &WebhookEvent::FINAL)).await.unwrap();
    let shown = submitted.job.webhook.unwrap();
    assert_eq!(
        (&*shown.url, shown.state),
        ("https://1.example/hook", None::<WebhookState>)
    );
    let held = claim(&*store, "a", 10).await.unwrap();
    assert_eq!(next(&*store, 10, &[]).await, NextDelivery::None);
    assert_eq!(waiting(&*store).await, (0, 0));
    store.succeed(&held.lease, at(11), outcome(&held)).await.unwrap();
    assert_eq!(waiting(&*store).await, (1, 0));

    // Whoever opens the store now, after a crash say, finds it.
    let other = place.opened_again().await;
    let delivery = due(&*other, 11).await;
    let ended = store.events(None, 0, 99).await.unwrap().pop().unwrap();
    assert_eq!(
        (&delivery.event, delivery.tries, &*delivery.url),
        (&ended, 1, "https://1.example/hook?token=secret")
    );
    let of_job = |store: std::sync::Arc<dyn JobStore>| async move {
        let shown = store.get(held.lease.job).await.unwrap().webhook.unwrap();
        (shown.state.unwrap(), shown.problem)
    };
    assert_eq!(of_job(store.clone()).await, (WebhookState::Pending, None));
    assert_eq!(waiting(&*store).await, (0, 1));
    other.settle_delivery(&delivery, in_vain(20)).await.unwrap();
    assert_eq!(waiting(&*store).await, (0, 1));
    let problem = Some("it answered 500".to_owned());
    assert_eq!(of_job(store.clone()).await, (WebhookState::Pending, problem));
    assert_eq!(next(&*store, 19, &[]).await, NextDelivery::At(at(20)));
    let again = due(&*store, 20).await;
    assert_eq!((&again.id, again.tries), (&delivery.id, 2));
    store.settle_delivery(&again, Settled::Delivered).await.unwrap();
    assert_eq!(waiting(&*store).await, (0, 0));
    assert_eq!(of_job(store.clone()).await, (WebhookState::Delivered, None));
    assert_eq!(next(&*store, 9_999, &[]).await, NextDelivery::None);
}

pub async fn a_claimed_delivery_is_nobody_else_s_until_its_claim_lapses<F: Fixture>() {
    let place = F::new().await;
    let (store, other) = (place.store(), place.opened_again().await);
    done(&*store, 1).await;
    let first = due(&*store, 11).await;
    let lapse = 11 + i64::try_from(LEASE.as_secs()).unwrap();
    assert_eq!(next(&*other, lapse - 1, &[]).await, NextDelivery::At(at(lapse)));
    let second = due(&*other, lapse).await;
    assert_eq!((&second.id, second.tries), (&first.id, 2));
    // Who lost it does not put it off, nor give it up.
    store.settle_delivery(&first, in_vain(5_000)).await.unwrap();
    let gone = Settled::GivenUp {
        problem: "late".to_owned(),
    };
    store.settle_delivery(&first, gone).await.unwrap();
    assert_eq!(due(&*other, 1_000).await.tries, 3);
    // But it has arrived.
    store.settle_delivery(&first, Settled::Delivered).await.unwrap();
    assert_eq!(next(&*other, 9_999, &[]).await, NextDelivery::None);
}

pub async fn hosts_that_are_passed_over_keep_their_turn<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for n in [1, 2] {
        done(&*store, n).await;
    }
    let both = ["1.example", "2.example"];
    assert_eq!(next(&*store, 50, &both).await, NextDelivery::None);
    let NextDelivery::Now(second) = next(&*store, 50, &both[..1]).await else {
        panic!("2.example is not passed over");
    };
    assert_eq!(second.host, "2.example");
    assert_eq!(due(&*store, 50).await.host, "1.example");
}

pub async fn a_webhook_is_told_what_it_asked_for_and_of_progress_the_newest<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    store.submit(new_job(1)).await.unwrap();
    let asked = [
        WebhookEvent::Running,
        WebhookEvent::Progress,
        WebhookEvent::Succeeded,
    ];
    store.submit(hooked(2, &asked)).await.unwrap();
    let mut kinds = Vec::new();
    for _ in [1, 2] {
        let held = claim(&*store, "a", 10).await.unwrap();
        store.progress(&held.lease, at(11), step(1)).await.unwrap();
        store.progress(&held.lease, at(12), step(2)).await.unwrap();
        while let NextDelivery::Now(delivery) = next(&*store, 13, &[]).await {
            kinds.push(delivery.event.kind);
        }
        store.progress(&held.lease, at(14), step(3)).await.unwrap();
        store.succeed(&held.lease, at(15), outcome(&held)).await.unwrap();
    }
    while let NextDelivery::Now(delivery) = next(&*store, 16, &[]).await {
        kinds.push(delivery.event.kind);
    }
    let state = |state| EventKind::State {
        state,
        attempt: 1,
        failure: None,
    };
    // Of the first job, without a webhook, nothing; of the second no artifacts, and no progress that was overtaken.
    assert_eq!(
        kinds,
        [
            state(JobState::Running),
            EventKind::Progress(step(2)),
            state(JobState::Succeeded)
        ]
    );
}

pub async fn what_is_given_up_is_said_of_the_job<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let new = hooked(1, &WebhookEvent::FINAL);
    // Done as soon as it is accepted, with the result of an earlier job.
    let recalled = NewJob {
        recalled: Some(outcome_of(new.id, 0)),
        ..new
    };
    let id = store.submit(recalled).await.unwrap().job.id;
    let problem = "it answered 410".to_owned();
    let settled = Settled::GivenUp {
        problem: problem.clone(),
    };
    let delivery = due(&*store, 1).await;
    store.settle_delivery(&delivery, settled).await.unwrap();
    let shown = store.get(id).await.unwrap().webhook.unwrap();
    assert_eq!(
        (shown.state, shown.problem),
        (Some(WebhookState::GivenUp), Some(problem))
    );
    assert_eq!(next(&*store, 9_999, &[]).await, NextDelivery::None);
}

pub async fn a_delivery_outlives_its_job<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    done(&*store, 1).await;
    let id = new_job(1).id;
    store.apply(id, at(12), Command::Delete).await.unwrap();
    assert!(store.get(id).await.is_err());
    let delivery = due(&*store, 13).await;
    assert_eq!(delivery.event.job, id);
    store
        .settle_delivery(&delivery, Settled::Delivered)
        .await
        .unwrap();
    assert_eq!(next(&*store, 9_999, &[]).await, NextDelivery::None);
}

pub async fn deliveries_wake_those_who_wait_for_them<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let mut deliveries = store.deliveries();
    store.submit(new_job(1)).await.unwrap();
    assert!(deliveries.changed().now_or_never().is_none());
    store.submit(hooked(2, &[WebhookEvent::Queued])).await.unwrap();
    assert!(deliveries.changed().now_or_never().is_some());
}
