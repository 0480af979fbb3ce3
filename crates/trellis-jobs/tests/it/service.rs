//! What all edges use: waiting, following, ending; and whose a job is.

use std::time::Duration;

use futures::StreamExt as _;
use trellis_core::{EventKind, Job, JobId, JobState};
use trellis_jobs::{JobQuery, JobStore, Jobs, Owner, Removed, StoreError, Terms};

use crate::kit::{Place, Submission, at, claim, file, outcome, picture, step, submit};

async fn submitted(jobs: &Jobs, owner: &str) -> Job {
    let submission = Submission {
        pictures: vec![picture(4)],
        ..Submission::default()
    };
    let terms = Terms {
        owner: Owner::named(owner),
        ..Terms::default()
    };
    submit(jobs, submission, terms).await.unwrap().job
}

fn told(events: Vec<trellis_core::JobEvent>) -> Vec<String> {
    let told = events.into_iter().map(|event| match event.kind {
        EventKind::State { state, .. } => state.to_string(),
        EventKind::Progress(progress) => progress.step.to_string(),
        EventKind::Artifact { name, .. } => name,
        EventKind::Renamed { name } => name.to_string(),
    });
    told.collect()
}

#[tokio::test]
async fn who_waits_gets_the_finished_job() {
    let place = Place::new();
    let jobs = place.jobs();
    let nobody = Owner::default();
    let id = submitted(&jobs, "").await.id;
    let waiting = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.wait(&Owner::default(), id).await.unwrap() }
    });
    let held = claim(&place.store, "a", 2).await.unwrap();
    place.store.progress(&held.lease, at(3), step(1)).await.unwrap();
    place
        .store
        .succeed(&held.lease, at(4), outcome(&held))
        .await
        .unwrap();
    let done = tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((done.id, done.state), (id, JobState::Succeeded));
    assert_eq!(jobs.wait(&nobody, id).await.unwrap(), done);
}

#[tokio::test]
async fn who_follows_hears_everything_and_then_the_end() {
    let place = Place::new();
    let jobs = place.jobs();
    let nobody = Owner::default();
    let id = submitted(&jobs, "").await.id;
    let follow = jobs.follow(&nobody, id, 0).await.unwrap();
    assert!(!follow.is_over());
    let following = tokio::spawn(follow.into_stream().collect::<Vec<_>>());
    let held = claim(&place.store, "a", 2).await.unwrap();
    place.store.preview(id, at(3), file(id, 0, true)).await.unwrap();
    place
        .store
        .succeed(&held.lease, at(4), outcome(&held))
        .await
        .unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(20), following)
        .await
        .unwrap()
        .unwrap();
    let last = heard.last().unwrap().seq;
    assert_eq!(
        told(heard),
        ["queued", "running", "preview.glb", "model.glb", "succeeded"]
    );
    assert!(jobs.follow(&nobody, id, last).await.unwrap().is_over());
    let rest = jobs
        .follow(&nobody, id, last - 1)
        .await
        .unwrap()
        .into_stream()
        .collect()
        .await;
    assert_eq!(told(rest), ["succeeded"]);
    assert_eq!(jobs.feed(0, 100).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_long_story_is_told_to_its_end_from_any_place() {
    let place = Place::new();
    let jobs = place.jobs();
    let nobody = Owner::default();
    let id = submitted(&jobs, "").await.id;
    let held = claim(&place.store, "a", 2).await.unwrap();
    for n in 0..300 {
        let preview = trellis_jobs::Delivered {
            artifact: trellis_core::Artifact {
                name: format!("{n}.glb"),
                ..file(id, 0, true).artifact
            },
            ..file(id, 0, true)
        };
        place.store.preview(id, at(3), preview).await.unwrap();
    }
    place
        .store
        .succeed(&held.lease, at(4), outcome(&held))
        .await
        .unwrap();
    let all = jobs
        .follow(&nobody, id, 0)
        .await
        .unwrap()
        .into_stream()
        .collect()
        .await;
    assert_eq!(told(all).len(), 304);
    let beyond = jobs.follow(&nobody, id, u64::MAX).await.unwrap();
    assert!(beyond.is_over());
}

#[tokio::test]
async fn a_deleted_job_ends_its_story() {
    let place = Place::new();
    let jobs = place.jobs();
    let nobody = Owner::default();
    let id = submitted(&jobs, "").await.id;
    let after = jobs.feed(0, 9).await.unwrap()[0].seq + 1_000;
    let mut follow = jobs.follow(&nobody, id, after).await.unwrap();
    let following = tokio::spawn(async move { follow.next().await });
    assert!(matches!(
        jobs.cancel_or_delete(&nobody, id).await.unwrap(),
        Removed::Cancelled(_)
    ));
    assert_eq!(
        jobs.cancel_or_delete(&nobody, id).await.unwrap(),
        Removed::Deleted
    );
    let heard = tokio::time::timeout(Duration::from_secs(20), following)
        .await
        .unwrap();
    assert_eq!(heard.unwrap(), None);
}

fn not_there<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn another_owner_s_job_is_not_there() {
    let place = Place::new();
    let jobs = place.jobs();
    let id = submitted(&jobs, "ada").await.id;
    for other in [Owner::named("bob"), Owner::default()] {
        not_there(jobs.get(&other, id).await);
        not_there(jobs.wait(&other, id).await);
        not_there(jobs.follow(&other, id, 0).await.map(|_| ()));
        not_there(jobs.input(&other, id, 0).await);
        not_there(jobs.artifact(&other, id, "model.glb").await);
        not_there(jobs.statement(&other, id).await);
        not_there(jobs.cancel_or_delete(&other, id).await);
        let query = JobQuery {
            // Whatever the caller put there.
            owner: Owner::named("ada"),
            limit: 9,
            ..JobQuery::default()
        };
        assert!(jobs.list(&other, query).await.unwrap().jobs.is_empty());
    }
    let ada = Owner::named("ada");
    assert_eq!(jobs.get(&ada, id).await.unwrap().state, JobState::Queued);
    assert!(jobs.input(&ada, id, 0).await.unwrap().is_some());
    assert!(jobs.input(&ada, id, 1).await.unwrap().is_none());
}

/// What was submitted while the server had no keys was open to everyone then.
#[tokio::test]
async fn nobody_s_job_is_everyone_s() {
    let place = Place::new();
    let jobs = place.jobs();
    let id: JobId = submitted(&jobs, "").await.id;
    for owner in [Owner::default(), Owner::named("bob")] {
        jobs.get(&owner, id).await.unwrap();
        assert_eq!(
            jobs.list(
                &owner,
                JobQuery {
                    limit: 9,
                    ..JobQuery::default()
                }
            )
            .await
            .unwrap()
            .jobs
            .len(),
            1
        );
    }
    jobs.cancel_or_delete(&Owner::named("bob"), id).await.unwrap();
}
