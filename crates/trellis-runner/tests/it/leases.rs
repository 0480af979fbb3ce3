//! Claims that are kept, lost and taken back.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use trellis_core::{BackendChoice, FailureKind, JobState};
use trellis_jobs::{BlobKey, ClaimFilter, JobStore, Recovered, SqliteStore, WorkerName};

use crate::kit::{Place, told};
use crate::scripted::Script;

fn any() -> ClaimFilter {
    ClaimFilter::of(BackendChoice::ALL.to_vec())
}

#[tokio::test]
async fn heartbeats_keep_a_job_that_takes_longer_than_its_lease() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.lease = Duration::from_secs(1);
    let runner = place.run(settings);
    let id = place.submit(Script::Gate).await;
    told(&place.backend.begun).await;
    let begun = Timestamp::now();
    // Another process, which sees each heartbeat as a commit and looks for lapsed leases.
    let other = SqliteStore::open(&place.folder.path().join("jobs.db")).unwrap();
    let mut commits = other.arrivals();
    while Timestamp::now().duration_since(begun).as_secs() < 2 {
        commits.changed().await;
        let recovered = other.recover(Timestamp::now(), 3, None).await.unwrap();
        assert_eq!(recovered, Recovered::default());
    }
    place.backend.gate.cancel();
    let job = place.ended(id).await;
    assert_eq!((job.state, job.attempt), (JobState::Succeeded, 1));
    runner.stop().await;
}

#[tokio::test]
async fn a_restart_takes_its_own_jobs_back_at_once() {
    let place = Place::new();
    let id = place.submit(Script::Bytes).await;
    let settings = place.settings();
    let hour = Duration::from_secs(3600);
    let held = place
        .store
        .claim(&settings.worker, &any(), Timestamp::now(), hour)
        .await
        .unwrap();
    assert!(held.is_some(), "a server that is killed while it stores a result");
    let stored = BlobKey::artifact(id, 1, "model.glb");
    place
        .blobs
        .put(&stored, Bytes::from_static(b"half"))
        .await
        .unwrap();
    let runner = place.run(settings);
    let job = place.ended(id).await;
    assert_eq!((job.state, job.attempt), (JobState::Succeeded, 2));
    runner.stop().await;
    let kept = place.blobs.of_job(id).await.unwrap();
    assert!(!kept.contains(&stored), "files of a lost attempt: {kept:?}");
    assert!(kept.contains(&BlobKey::artifact(id, 2, "model.glb")), "{kept:?}");
}

/// With room for two at a time, each of those that a dead server held has its turn alone, and then others go on side
/// by side.
#[tokio::test]
async fn after_a_death_its_jobs_are_worked_on_one_by_one() {
    let place = Place::new();
    let settings = place.settings();
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(place.submit(Script::Gate).await);
        let (now, hour) = (Timestamp::now(), Duration::from_secs(3600));
        let held = place.store.claim(&settings.worker, &any(), now, hour).await;
        assert!(held.unwrap().is_some(), "the server dies with it");
    }
    ids.push(place.submit(Script::Gate).await);
    let runner = place.run(settings);
    told(&place.backend.begun).await;
    // Heartbeats, as another process sees them: time for the others to begin, if they could.
    let other = SqliteStore::open(&place.folder.path().join("jobs.db")).unwrap();
    let mut commits = other.arrivals();
    for _ in 0..3 {
        commits.changed().await;
    }
    place.backend.gate.cancel();
    let mut before = None;
    for (id, attempt) in ids.into_iter().zip([2, 2, 1]) {
        let job = place.ended(id).await;
        assert_eq!((job.state, job.attempt), (JobState::Succeeded, attempt));
        let [.., begun, ended] = &job.history[..] else {
            panic!("{job:?}")
        };
        assert!(before <= Some(begun.at), "two suspects at a time");
        before = Some(ended.at);
    }
    for _ in 0..2 {
        place.submit(Script::UntilCancelled).await;
        told(&place.backend.begun).await;
    }
    runner.stop().await;
}

#[tokio::test]
async fn a_job_that_kills_three_servers_is_given_up() {
    let place = Place::new();
    let id = place.submit(Script::Bytes).await;
    let dead = WorkerName("dead".to_owned());
    for attempt in 1..=3 {
        let held = place
            .store
            .claim(&dead, &any(), Timestamp::now(), Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(held.unwrap().lease.attempt, attempt);
        if attempt < 3 {
            place.store.recover(Timestamp::now(), 3, None).await.unwrap();
        }
    }
    let runner = place.run(place.settings());
    assert_eq!(
        place.ended(id).await.failure.unwrap().kind,
        FailureKind::WorkerLost
    );
    runner.stop().await;
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_stops_and_says_nothing() {
    let place = Place::new();
    let runner = place.run(place.settings());
    let id = place.submit(Script::UntilCancelled).await;
    told(&place.backend.begun).await;
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    // As if the clock had gone past the lease without a heartbeat; one attempt is all there is.
    assert_eq!(place.store.recover(later, 1, None).await.unwrap().failed, [id]);
    told(&place.backend.stopped).await;
    assert_eq!(
        place.ended(id).await.failure.unwrap().kind,
        FailureKind::WorkerLost
    );
    runner.stop().await;
}

#[tokio::test]
async fn an_abandoned_runner_stops_its_backend_and_its_heartbeats() {
    let place = Place::new();
    let runner = place.run(place.settings());
    place.submit(Script::UntilCancelled).await;
    told(&place.backend.begun).await;
    let other = SqliteStore::open(&place.folder.path().join("jobs.db")).unwrap();
    let mut commits = other.arrivals();
    commits.changed().await;
    runner.abandon();
    told(&place.backend.stopped).await;
    // What it still wrote before it ended may be announced once; a heartbeat is due every 50 ms.
    let quiet = Duration::from_millis(1_200);
    let _ = tokio::time::timeout(quiet, commits.changed()).await;
    assert!(
        tokio::time::timeout(quiet, commits.changed()).await.is_err(),
        "somebody still writes"
    );
}
