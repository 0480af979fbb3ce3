//! What is there after a power cut: the files as they were when they were last flushed.

use trellis_core::JobState;
use trellis_jobs::{JobStore, SqliteStore};

use crate::kit::{Place, at, claim, new_job, step, worker};

/// A copy of the database as it is on disk now.
fn copy(place: &Place, to: &tempfile::TempDir) {
    for name in ["jobs.db", "jobs.db-wal"] {
        std::fs::copy(place.folder.path().join(name), to.path().join(name)).unwrap();
    }
}

#[tokio::test]
async fn a_claim_that_is_lost_means_that_the_job_runs_again_and_clients_miss_nothing() {
    let place = Place::new();
    let id = place.store.submit(new_job(1)).await.unwrap().job.id;
    let flushed = tempfile::tempdir().unwrap();
    copy(&place, &flushed);
    // None of this is flushed at once.
    let lost = claim(&place.store, "a", 2).await.unwrap();
    for number in 1..=9 {
        place
            .store
            .progress(&lost.lease, at(3), step(number))
            .await
            .unwrap();
    }
    let heard = place.store.events(Some(id), 0, 100).await.unwrap();

    let store = SqliteStore::open(&flushed.path().join("jobs.db")).unwrap();
    assert_eq!(store.get(id).await.unwrap().state, JobState::Queued);
    let again = claim(&store, "a", 4).await.unwrap();
    assert_eq!(again.lease.attempt, 1);
    store.recover(at(5), 3, Some(&worker("a"))).await.unwrap();
    // A client that asks for what came after the last that it heard of.
    let after = heard.last().unwrap().seq;
    let missed = store.events(Some(id), after, 100).await.unwrap();
    assert_eq!(missed.len(), 2, "running, and queued again: {missed:?}");
}
