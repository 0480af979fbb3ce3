//! Files of lost attempts go with the attempt.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trellis_core::JobState;
use trellis_jobs::rules::Command;
use trellis_jobs::{
    BlobKey, BlobStore, Janitor, JobStore, Moment, Owner, Retention, Unknown, clear_leftovers,
};

use crate::kit::{Place, at, claim, file, new_job, outcome, worker};

async fn put(place: &Place, keys: &[BlobKey]) {
    for key in keys {
        place.blobs.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
}

async fn kept(place: &Place) -> Vec<BlobKey> {
    let mut kept = place.blobs.of_job(new_job(1).id).await.unwrap();
    kept.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    kept
}

#[tokio::test]
async fn an_attempt_keeps_its_files_until_it_is_lost() {
    let place = Place::new();
    let id = place.store.submit(new_job(1)).await.unwrap().job.id;
    let (input, preview) = (BlobKey::input(id, 0), BlobKey::artifact(id, 0, "preview.glb"));
    let of_attempt = |attempt| {
        let model = BlobKey::artifact(id, attempt, "model.glb");
        [model, BlobKey::statement(id, attempt, "model.json")]
    };
    put(&place, &[input.clone(), preview.clone()]).await;
    let clear = || clear_leftovers(&place.store, &place.blobs, id);

    let _lost = claim(&place.store, "a", 2).await.unwrap();
    put(&place, &of_attempt(1)).await;
    assert_eq!(clear().await.unwrap(), 0, "it is at work");
    let requeued = place.store.recover(at(3), 3, Some(&worker("a"))).await.unwrap();
    assert_eq!(requeued.requeued, [id]);
    assert_eq!(clear().await.unwrap(), 2);
    assert_eq!(kept(&place).await, [preview.clone(), input.clone()]);

    // The first is not quite dead and stores once more.
    let held = claim(&place.store, "a", 4).await.unwrap();
    put(&place, &of_attempt(1)).await;
    put(&place, &of_attempt(2)).await;
    assert_eq!(clear().await.unwrap(), 2);
    put(&place, &of_attempt(1)).await;
    place
        .store
        .succeed(&held.lease, at(5), outcome(&held))
        .await
        .unwrap();
    // All but the picture and what the result lists.
    assert_eq!(clear().await.unwrap(), 4);
    assert_eq!(kept(&place).await, [file(id, 2, false).key, input]);
}

#[tokio::test]
async fn the_janitor_finds_what_nobody_was_left_to_clear() {
    let place = Place::new();
    let id = place.store.submit(new_job(1)).await.unwrap().job.id;
    let _killed = claim(&place.store, "a", 2).await.unwrap();
    let input = BlobKey::input(id, 0);
    put(&place, &[input.clone(), file(id, 1, false).key]).await;
    let by = Owner::default();
    let cancelled = place
        .store
        .apply(id, at(3), Command::Cancel { by })
        .await
        .unwrap();
    assert_eq!(cancelled.state, Some(JobState::Cancelled));
    let janitor = Janitor {
        store: Arc::new(place.store.clone()),
        blobs: Arc::new(place.blobs.clone()),
        retention: Retention::default(),
        unknown: Unknown::Leave,
    };
    let moment = Moment {
        now: at(10_000),
        run: "machine".to_owned(),
        running: Duration::ZERO,
    };
    assert_eq!(janitor.sweep(&moment).await.unwrap().leftovers, 1);
    assert_eq!(kept(&place).await, [input]);
}
