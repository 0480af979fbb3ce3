//! Rows made again from files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use trellis_core::{Failure, FailureKind, JobId, JobState, Priority, Sha256, WebhookEvent};
use trellis_jobs::rules::{Command, Edit};
use trellis_jobs::{
    BlobKey, BlobStore, CacheKey, Docketed, JobStore, Jobs, Left, NewJob, NextDelivery, Outcome, Owner,
    Rescued, SqliteStore, StoredJob, rescue,
};

use crate::kit::{LEASE, Place, at, claim, new_job, outcome, picture, webhook};

const GLB: &[u8] = b"glTF";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn docketed(place: &Place) -> Docketed {
    Docketed::new(Arc::new(place.store.clone()), Arc::new(place.blobs.clone()))
}

/// The `n`th job with a real picture, accepted.
async fn submitted(place: &Place, n: u32) -> JobId {
    let mut new = NewJob {
        owner: Owner::named("ada"),
        priority: Priority::High,
        idempotency: Some((format!("key {n}"), "digest".to_owned())),
        traceparent: Some(TRACE.parse().unwrap()),
        webhook: Some(webhook("one.example", &WebhookEvent::FINAL)),
        ..new_job(n)
    };
    let picture = Bytes::from(format!("picture {n}"));
    (new.inputs[0].0.sha256, new.inputs[0].0.size_bytes) = (Sha256::of(&picture), picture.len() as u64);
    place.blobs.put(&new.inputs[0].1, picture).await.unwrap();
    docketed(place).submit(new).await.unwrap().job.id
}

/// The `n`th job with a real result.
async fn succeeded(place: &Place, n: u32) -> JobId {
    let id = submitted(place, n).await;
    let store = docketed(place);
    let held = claim(&store, "a", 100).await.unwrap();
    assert_eq!(held.lease.job, id);
    let mut result = Outcome {
        latents: None,
        cache_key: Some(CacheKey::new(&held.job.inputs, &held.job.params, "relief 1")),
        ..outcome(&held)
    };
    let file = &mut result.artifacts[0];
    (file.artifact.sha256, file.artifact.size_bytes) = (Sha256::of(GLB), GLB.len() as u64);
    place.blobs.put(&file.key, Bytes::from_static(GLB)).await.unwrap();
    store.succeed(&held.lease, at(101), result).await.unwrap();
    id
}

/// The database is gone.
fn without_database(mut place: Place) -> Place {
    place.store = SqliteStore::open(&place.folder.path().join("new.db")).unwrap();
    place
}

async fn rescued(place: &Place) -> Rescued {
    rescue(&place.store, &place.blobs, false).await.unwrap()
}

fn path(place: &Place, key: &BlobKey) -> PathBuf {
    place.folder.path().join("blobs").join(key.as_str())
}

#[tokio::test]
async fn jobs_come_back_as_they_ended() {
    let place = Place::new();
    let succeeded = succeeded(&place, 1).await;
    let store = docketed(&place);
    let failed = submitted(&place, 2).await;
    let held = claim(&store, "a", 200).await.unwrap();
    let failure = Failure::new(FailureKind::NoObject, "there is nothing to see");
    store.fail(&held.lease, at(201), failure).await.unwrap();
    let cancelled = submitted(&place, 3).await;
    let by = Owner::named("ada");
    store
        .apply(cancelled, at(202), Command::Cancel { by })
        .await
        .unwrap();
    let deleted = submitted(&place, 4).await;
    for _ in 0..2 {
        let by = Owner::named("ada");
        store
            .apply(deleted, at(203), Command::CancelOrDelete { by })
            .await
            .unwrap();
    }
    place.blobs.delete_job(deleted).await.unwrap();
    // After its end, so that its docket is written once more.
    let by = Owner::named("ada");
    let edit = Edit::Name("a chair".to_owned().into());
    store
        .apply(succeeded, at(204), Command::Edit { by, edit })
        .await
        .unwrap();
    let jobs = Jobs {
        store: Arc::new(store.clone()),
        ..place.jobs()
    };
    let owner = Owner::named("ada");
    jobs.keep_thumbnail(&owner, succeeded, picture(8)).await.unwrap();
    jobs.keep_thumbnail(&owner, failed, picture(8)).await.unwrap();
    let lost = place.store.find(failed).await.unwrap().thumbnail.unwrap();
    fs::remove_file(path(&place, &lost.key)).unwrap();
    let mut before: Vec<StoredJob> = Vec::new();
    for id in [succeeded, failed, cancelled] {
        before.push(place.store.find(id).await.unwrap());
    }

    let place = without_database(place);
    let dry = rescue(&place.store, &place.blobs, true).await.unwrap();
    assert!(place.store.find(succeeded).await.is_err(), "a dry run only looks");
    let found = rescued(&place).await;
    assert_eq!(dry, found);
    let states: Vec<_> = found.jobs.iter().map(|job| (job.id, job.state)).collect();
    assert_eq!(
        states,
        [
            (succeeded, JobState::Succeeded),
            (failed, JobState::Failed),
            (cancelled, JobState::Cancelled)
        ]
    );
    assert_eq!((found.known, &found.left[..]), (0, &[][..]));
    for mut expected in before {
        // Nobody knows any more whether its webhook was told of the end.
        expected.job.webhook.as_mut().unwrap().state = None;
        let id = expected.job.id;
        if id == failed {
            // It is not worth the job.
            (expected.thumbnail, expected.job.thumbnail) = (None, None);
        }
        assert_eq!(place.store.find(id).await.unwrap(), expected);
        let events = place.store.events(Some(id), 0, 9).await.unwrap();
        assert!(events.len() >= expected.job.history.len(), "{events:?}");
    }
    // Its client finds it.
    let again = NewJob {
        owner: Owner::named("ada"),
        idempotency: Some(("key 2".to_owned(), "digest".to_owned())),
        ..new_job(9)
    };
    assert_eq!(place.store.submit(again).await.unwrap().job.id, failed);
    assert_eq!(rescued(&place).await.known, 3);
}

#[tokio::test]
async fn a_job_that_had_not_ended_is_queued_again_under_a_new_attempt() {
    let place = Place::new();
    let id = submitted(&place, 1).await;
    let held = claim(&docketed(&place), "a", 2).await.unwrap();
    let half = BlobKey::artifact(id, held.lease.attempt, "model.glb");
    place.blobs.put(&half, Bytes::from_static(b"half")).await.unwrap();
    let place = without_database(place);
    assert_eq!(rescued(&place).await.jobs[0].state, JobState::Queued);
    let again = NewJob {
        owner: Owner::named("ada"),
        idempotency: Some(("key 1".to_owned(), "digest".to_owned())),
        ..new_job(9)
    };
    assert_eq!(
        place.store.submit(again).await.unwrap().job.id,
        id,
        "its client finds it"
    );
    let held = claim(&place.store, "a", 3).await.unwrap();
    assert_eq!((held.lease.job, held.lease.attempt), (id, 2));
    // Its webhook is told of the end that it comes to.
    place
        .store
        .succeed(&held.lease, at(4), outcome(&held))
        .await
        .unwrap();
    let told = place.store.claim_delivery(at(4), LEASE, &[]).await.unwrap();
    assert!(matches!(told, NextDelivery::Now(delivery) if delivery.event.job == id));
}

#[tokio::test]
async fn a_damaged_result_is_made_again_and_a_damaged_picture_is_told() {
    let place = Place::new();
    let (one, two) = (succeeded(&place, 1).await, succeeded(&place, 2).await);
    for id in [one, two] {
        fs::write(path(&place, &BlobKey::artifact(id, 1, "model.glb")), "glTE").unwrap();
    }
    let picture = BlobKey::input(two, 0);
    fs::remove_file(path(&place, &picture)).unwrap();
    let place = without_database(place);
    let found = rescued(&place).await;
    assert_eq!((found.jobs[0].id, found.jobs[0].state), (one, JobState::Queued));
    let file = picture.to_string();
    assert_eq!(found.left, [(two, Left::Damaged { file })]);
    assert!(
        path(&place, &BlobKey::artifact(two, 1, "model.glb")).exists(),
        "it stays"
    );
}

#[tokio::test]
async fn what_was_set_aside_comes_back() {
    let place = Place::new();
    let id = succeeded(&place, 1).await;
    let place = without_database(place);
    assert!(place.blobs.set_aside(id, at(500)).await.unwrap());
    assert_eq!(place.blobs.jobs().await.unwrap(), []);
    assert_eq!(place.blobs.aside().await.unwrap(), [id]);
    assert_eq!(rescued(&place).await.jobs[0].state, JobState::Succeeded);
    let key = BlobKey::artifact(id, 1, "model.glb");
    assert_eq!(place.blobs.get(&key).await.unwrap(), GLB);
    assert_eq!(place.blobs.aside().await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_docket_of_the_job_is_told_and_the_rest_is_rescued() {
    let place = Place::new();
    let torn = submitted(&place, 1).await;
    let borrowed = submitted(&place, 2).await;
    let good = submitted(&place, 3).await;
    let newer = submitted(&place, 4).await;
    let bare = new_job(5).id;
    place
        .blobs
        .put(&BlobKey::input(bare, 0), Bytes::from_static(b"x"))
        .await
        .unwrap();
    let docket = |id: JobId| {
        let picture = BlobKey::input(id, 0).to_string();
        path(
            &place,
            &BlobKey::from_stored(picture.replace("input.0", "accepted.json")),
        )
    };
    fs::write(docket(torn), vec![0; 900]).unwrap();
    fs::copy(docket(good), docket(borrowed)).unwrap();
    let text = fs::read_to_string(docket(newer)).unwrap();
    fs::write(docket(newer), text.replace("\"form\":1", "\"form\":2")).unwrap();
    let place = without_database(place);
    let found = rescued(&place).await;
    assert_eq!(found.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [good]);
    let told: Vec<_> = found
        .left
        .iter()
        .map(|(id, left)| (*id, left.to_string()))
        .collect();
    let expected = [
        (torn, "its docket cannot be read: it is damaged"),
        (borrowed, "its docket cannot be read: it is about another job"),
        (
            newer,
            "its docket cannot be read: it has form 2, and this version reads 1",
        ),
        (bare, "it has no docket"),
    ];
    assert_eq!(told, expected.map(|(id, text)| (id, text.to_owned())));
}

/// Jobs of an earlier version, and those whose docket a full disk kept from being written.
#[tokio::test]
async fn dockets_that_are_missing_are_written_once() {
    let place = Place::new();
    let (done, waiting) = (succeeded(&place, 1).await, submitted(&place, 2).await);
    for id in [done, waiting] {
        let folder = path(&place, &BlobKey::input(id, 0));
        for entry in fs::read_dir(folder.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "json") {
                fs::remove_file(path).unwrap();
            }
        }
    }
    assert_eq!(docketed(&place).complete().await.unwrap(), 2);
    assert_eq!(docketed(&place).complete().await.unwrap(), 0);
    let place = without_database(place);
    let states: Vec<_> = rescued(&place).await.jobs.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Succeeded, JobState::Queued]);
}
