//! What is forgotten and what never is.

use std::sync::Arc;

use bytes::Bytes;
use trellis_core::JobId;
use trellis_jobs::{BlobKey, BlobStore, Janitor, JobStore, Retention, Swept};

use crate::kit::{Place, at, claim, new_job, outcome};

const DAY: i64 = 86_400;

fn janitor(place: &Place, retention: Retention) -> Janitor {
    Janitor {
        store: Arc::new(place.store.clone()),
        blobs: Arc::new(place.blobs.clone()),
        retention,
    }
}

async fn picture(place: &Place, id: JobId) {
    place
        .blobs
        .put(&BlobKey::input(id, 0), Bytes::from_static(b"x"))
        .await
        .unwrap();
}

/// Jobs 1 to 4 ended, a day apart; job 5 runs; job 6 waits.
async fn populated() -> Place {
    let place = Place::new();
    for n in 1..=6 {
        picture(&place, place.store.submit(new_job(n)).await.unwrap().job.id).await;
    }
    for n in 1..=4 {
        let held = claim(&place.store, "a", n * DAY).await.unwrap();
        place
            .store
            .succeed(&held.lease, at(n * DAY), outcome(&held))
            .await
            .unwrap();
    }
    let _held = claim(&place.store, "a", 5 * DAY).await.unwrap();
    place
}

async fn kept(place: &Place) -> Vec<JobId> {
    let mut kept = place.blobs.jobs().await.unwrap();
    kept.sort();
    kept
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<JobId> {
    numbers.into_iter().map(|n| new_job(n).id).collect()
}

#[tokio::test]
async fn without_limits_nothing_is_forgotten() {
    let place = populated().await;
    let swept = janitor(&place, Retention::default())
        .sweep(at(1_000 * DAY))
        .await
        .unwrap();
    assert_eq!(swept, Swept::default());
    assert_eq!(kept(&place).await, ids(1..=6));
}

#[tokio::test]
async fn the_oldest_beyond_the_number_go_and_live_ones_stay() {
    let place = populated().await;
    let retention = Retention {
        keep_jobs: Some(3),
        keep_days: None,
    };
    assert_eq!(
        janitor(&place, retention).sweep(at(6 * DAY)).await.unwrap().jobs,
        ids([1])
    );
    let none = Retention {
        keep_jobs: Some(0),
        keep_days: Some(0),
    };
    assert_eq!(
        janitor(&place, none).sweep(at(1_000 * DAY)).await.unwrap().jobs,
        ids(2..=4)
    );
    assert_eq!(kept(&place).await, ids([5, 6]));
    assert!(place.store.get(new_job(1).id).await.is_err());
}

#[tokio::test]
async fn jobs_go_when_their_days_are_over() {
    let place = populated().await;
    let retention = Retention {
        keep_jobs: Some(100),
        keep_days: Some(3),
    };
    assert_eq!(
        janitor(&place, retention)
            .sweep(at(5 * DAY + 1))
            .await
            .unwrap()
            .jobs,
        ids([1, 2])
    );
    assert_eq!(kept(&place).await, ids(3..=6));
}

#[tokio::test]
async fn pictures_without_a_job_go_after_an_hour() {
    let place = populated().await;
    let orphan = new_job(7).id;
    picture(&place, orphan).await;
    let janitor = janitor(&place, Retention::default());
    let made = 7;
    assert_eq!(janitor.sweep(at(made + 3_599)).await.unwrap().orphans, []);
    assert_eq!(janitor.sweep(at(made + 3_600)).await.unwrap().orphans, [orphan]);
    assert_eq!(kept(&place).await, ids(1..=6));
}
