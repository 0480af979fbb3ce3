//! What is forgotten and what never is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trellis_core::JobId;
use trellis_jobs::rules::Command;
use trellis_jobs::{BlobKey, BlobStore, Janitor, JobStore, Moment, Retention, Swept, Unknown};

use crate::kit::{Place, at, claim, new_job, outcome};

const DAY: i64 = 86_400;

pub(crate) fn janitor(place: &Place, retention: Retention) -> Janitor {
    Janitor {
        store: Arc::new(place.store.clone()),
        blobs: Arc::new(place.blobs.clone()),
        retention,
        unknown: Unknown::SetAside,
    }
}

/// A clock that goes as it should.
pub(crate) fn moment(seconds: i64) -> Moment {
    Moment {
        now: at(seconds),
        run: "machine".to_owned(),
        running: Duration::from_secs(u64::try_from(seconds).unwrap()),
    }
}

/// One that jumped by so many days after the first sweep.
fn jumped(seconds: i64, days: i64) -> Moment {
    Moment {
        now: at(seconds + days * DAY),
        ..moment(seconds)
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
    let nothing = janitor(&place, Retention::default())
        .sweep(&moment(0))
        .await
        .unwrap();
    assert_eq!(nothing, Swept::default());
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
        .sweep(&moment(1_000 * DAY))
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
        ..Retention::default()
    };
    assert_eq!(
        janitor(&place, retention)
            .sweep(&moment(6 * DAY))
            .await
            .unwrap()
            .jobs,
        ids([1])
    );
    let none = Retention {
        keep_jobs: Some(0),
        keep_days: Some(0),
        ..Retention::default()
    };
    assert_eq!(
        janitor(&place, none)
            .sweep(&moment(1_000 * DAY))
            .await
            .unwrap()
            .jobs,
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
        ..Retention::default()
    };
    assert_eq!(
        janitor(&place, retention)
            .sweep(&moment(5 * DAY + 1))
            .await
            .unwrap()
            .jobs,
        ids([1, 2])
    );
    assert_eq!(kept(&place).await, ids(3..=6));
}

/// The database may be a copy of yesterday: what it does not know waits for a month.
#[tokio::test]
async fn files_of_unknown_jobs_are_set_aside_after_an_hour_and_removed_after_a_month() {
    let place = populated().await;
    let unknown = new_job(7).id;
    picture(&place, unknown).await;
    let half = format!("blobs/{}#1", BlobKey::input(new_job(8).id, 0));
    std::fs::write(place.folder.path().join(half), "half").unwrap();
    let janitor = janitor(&place, Retention::default());
    let made = 7;
    let early = janitor.sweep(&moment(made + 3_599)).await.unwrap();
    assert_eq!(early, Swept::default());
    let swept = janitor.sweep(&moment(made + 3_600)).await.unwrap();
    assert_eq!((swept.set_aside, swept.given_up), (vec![unknown], vec![]));
    assert_eq!(kept(&place).await, ids(1..=6));
    let waiting = place.folder.path().join(format!("blobs/lost+found/{unknown}"));
    assert!(waiting.join(format!("{unknown}.input.0")).exists());

    let month = made + 3_600 + 30 * DAY;
    assert_eq!(janitor.sweep(&moment(month)).await.unwrap(), Swept::default());
    assert!(waiting.exists());
    assert_eq!(
        janitor.sweep(&moment(month + 1)).await.unwrap().given_up,
        [unknown]
    );
    assert!(!waiting.exists());
}

#[tokio::test]
async fn files_of_unknown_jobs_stay_where_the_database_is_not_theirs() {
    let place = populated().await;
    picture(&place, new_job(7).id).await;
    let mut janitor = janitor(&place, Retention::default());
    janitor.unknown = Unknown::Leave;
    let swept = janitor.sweep(&moment(1_000 * DAY)).await.unwrap();
    assert_eq!(swept, Swept::default());
    assert_eq!(kept(&place).await, ids(1..=7));
}

/// A client that deletes a job does not expect its files in another place.
#[tokio::test]
async fn files_of_a_deleted_job_that_stayed_are_removed_and_not_set_aside() {
    let place = populated().await;
    let gone = new_job(1).id;
    place
        .store
        .apply(gone, at(7 * DAY), Command::Delete)
        .await
        .unwrap();
    assert_eq!(place.store.deleted().await.unwrap(), [gone]);
    let janitor = janitor(&place, Retention::default());
    let swept = janitor.sweep(&moment(7 * DAY)).await.unwrap();
    assert_eq!((swept.deleted, swept.set_aside), (vec![gone], vec![]));
    assert_eq!(kept(&place).await, ids(2..=6));
    assert!(!place.folder.path().join("blobs/lost+found").exists());
    assert_eq!(place.store.deleted().await.unwrap(), []);
}

#[tokio::test]
async fn a_clock_that_jumps_makes_nothing_forgotten_until_it_has_held_for_a_day() {
    for days in [400, -400] {
        let place = populated().await;
        picture(&place, new_job(7).id).await;
        let retention = Retention {
            keep_jobs: Some(0),
            keep_days: Some(3),
            ..Retention::default()
        };
        let janitor = janitor(&place, retention);
        for seconds in [10, 600, 12 * 3_600] {
            let swept = janitor.sweep(&jumped(seconds, days)).await.unwrap();
            assert_eq!(swept, Swept::default(), "{days} days, after {seconds} s");
        }
        let swept = janitor.sweep(&jumped(10 + DAY, days)).await.unwrap();
        assert_eq!(swept.jobs, ids(1..=4), "{days} days");
    }
}
