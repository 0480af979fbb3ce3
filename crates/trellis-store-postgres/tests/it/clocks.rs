//! Servers whose clocks differ.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use trellis_core::JobState;
use trellis_jobs::conformance::kit::{LEASE, every_choice, new_job, outcome, webhook, worker};
use trellis_jobs::{JobStore, NewJob, NextDelivery, Settled, StoreError};
use trellis_store_postgres::Clock;

use crate::kit::{Place, skipped};

const FIVE_MINUTES: SignedDuration = SignedDuration::from_mins(5);

/// What a clock says that is wrong by so much.
fn wrong_by(by: SignedDuration) -> Timestamp {
    Timestamp::now() + by
}

#[tokio::test]
async fn a_lease_is_as_long_as_it_is_whatever_the_servers_clocks_say() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Database).await;
    let (early, late) = (place.store.clone(), place.again(Clock::Database).await);
    let begun = Timestamp::now();
    for (n, by) in [(1, -FIVE_MINUTES), (2, FIVE_MINUTES)] {
        let now = wrong_by(by);
        early.submit(NewJob { now, ..new_job(n) }).await.unwrap();
    }
    let claim = async |store: &dyn JobStore, name, by| {
        let claimed = store
            .claim(&worker(name), &every_choice(), wrong_by(by), LEASE)
            .await;
        claimed.unwrap().unwrap()
    };
    let of_early = claim(&early, "early", -FIVE_MINUTES).await;
    let of_late = claim(&late, "late", FIVE_MINUTES).await;
    // Nobody takes the other's job from it.
    for (store, by) in [(&early, -FIVE_MINUTES), (&late, FIVE_MINUTES)] {
        let recovered = store.recover(wrong_by(by), 3, None).await.unwrap();
        assert!(
            recovered.requeued.is_empty() && recovered.failed.is_empty(),
            "{recovered:?}"
        );
    }
    early
        .heartbeat(&of_early.lease, wrong_by(-FIVE_MINUTES), Duration::ZERO)
        .await
        .unwrap();
    // That one has lapsed, for everybody.
    let recovered = early.recover(wrong_by(-FIVE_MINUTES), 3, None).await.unwrap();
    assert_eq!(recovered.requeued, [of_early.lease.job]);
    late.succeed(&of_late.lease, wrong_by(FIVE_MINUTES), outcome(&of_late))
        .await
        .unwrap();
    let done = late.get(of_late.lease.job).await.unwrap();
    let ended = done.history.last().unwrap();
    assert_eq!(ended.state, JobState::Succeeded);
    assert!(
        done.history.is_sorted_by_key(|entry| entry.at),
        "{:?}",
        done.history
    );
    assert!(begun - SignedDuration::from_secs(60) < ended.at && ended.at < wrong_by(FIVE_MINUTES / 2));
    // A late result of the attempt that lapsed is refused.
    let refused = early
        .succeed(&of_early.lease, Timestamp::now(), outcome(&of_early))
        .await;
    assert!(
        matches!(refused, Err(StoreError::LeaseLost { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_delivery_is_due_again_when_it_was_said_by_the_clock_of_whoever_said_it() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Database).await;
    let new = NewJob {
        webhook: Some(webhook("one.example", &[trellis_core::WebhookEvent::Queued])),
        ..new_job(1)
    };
    place.store.submit(new).await.unwrap();
    let claim = async || {
        place
            .store
            .claim_delivery(Timestamp::now(), LEASE, &[])
            .await
            .unwrap()
    };
    let NextDelivery::Now(delivery) = claim().await else {
        panic!("nothing is due");
    };
    let at = Timestamp::now() + SignedDuration::from_secs(60);
    let problem = "it answered 500".to_owned();
    let again = Settled::Again { at, problem };
    place.store.settle_delivery(&delivery, again).await.unwrap();
    let NextDelivery::At(due) = claim().await else {
        panic!("it is due at once");
    };
    // Both clocks are this machine's.
    assert!(
        due.duration_since(at).abs() < SignedDuration::from_secs(5),
        "{due} {at}"
    );
}
