//! A job's life in the store, call by call.

use trellis_core::{EventKind, Failure, FailureKind, JobState};
use trellis_jobs::{Heartbeat, JobQuery, JobStore, SqliteStore, StoreError};

use crate::kit::{LEASE, Place, at, claim, file, new_job, outcome, step, worker};

fn states(job: &trellis_core::Job) -> Vec<(JobState, u32)> {
    job.history
        .iter()
        .map(|entry| (entry.state, entry.attempt))
        .collect()
}

#[tokio::test]
async fn a_job_goes_from_queue_to_result() {
    let place = Place::new();
    let submitted = place.store.submit(new_job(1)).await.unwrap();
    assert!(!submitted.replayed);
    assert_eq!(submitted.job.state, JobState::Queued);

    let claim = claim(&place.store, "a", 2).await.unwrap();
    assert_eq!(claim.job.state, JobState::Running);
    assert_eq!(claim.inputs, [new_job(1).inputs[0].1.clone()]);
    place.store.progress(&claim.lease, at(3), step(1)).await.unwrap();
    let running = place.store.get(claim.lease.job).await.unwrap();
    assert_eq!((running.progress, running.updated_at), (Some(step(1)), at(3)));

    let preview = file(claim.lease.job, 1, true);
    place
        .store
        .preview(claim.lease.job, at(4), preview.clone())
        .await
        .unwrap();
    assert_eq!(
        place.store.get(claim.lease.job).await.unwrap().artifacts,
        [preview.artifact]
    );

    let done = place
        .store
        .succeed(&claim.lease, at(5), outcome(&claim))
        .await
        .unwrap();
    assert_eq!(done, place.store.get(done.id).await.unwrap());
    assert_eq!(done.artifacts, [file(done.id, 1, false).artifact]);
    assert_eq!((done.made_by.as_deref(), done.progress), (Some("relief"), None));
    assert_eq!(
        states(&done),
        [
            (JobState::Queued, 0),
            (JobState::Running, 1),
            (JobState::Succeeded, 1)
        ]
    );
    let found = place
        .store
        .artifact_key(done.id, "model.glb")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, file(done.id, 1, false));
    assert_eq!(
        place.store.artifact_key(done.id, "preview.glb").await.unwrap(),
        None
    );
    let input = place.store.input_key(done.id, 0).await.unwrap();
    assert_eq!(input.as_ref(), new_job(1).inputs.first());
    assert_eq!(place.store.input_key(done.id, 1).await.unwrap(), None);
}

#[tokio::test]
async fn the_oldest_fitting_job_is_claimed_once() {
    let place = Place::new();
    for n in [1, 2, 3] {
        place.store.submit(new_job(n)).await.unwrap();
    }
    let first = claim(&place.store, "a", 4).await.unwrap();
    let second = claim(&place.store, "b", 4).await.unwrap();
    assert_eq!(first.lease.job, new_job(1).id);
    assert_eq!(second.lease.job, new_job(2).id);
}

#[tokio::test]
async fn a_lapsed_lease_is_taken_back_and_given_up_after_three() {
    let place = Place::new();
    let id = place.store.submit(new_job(1)).await.unwrap().job.id;
    for attempt in 1..=3 {
        let now = i64::from(attempt) * 100;
        let held = claim(&place.store, "a", now).await.unwrap();
        assert_eq!(held.lease.attempt, attempt);
        place
            .store
            .preview(id, at(now), file(id, attempt, true))
            .await
            .unwrap();
        let early = place.store.recover(at(now + 29), 3, None).await.unwrap();
        assert_eq!(early, trellis_jobs::Recovered::default());
        let recovered = place.store.recover(at(now + 30), 3, None).await.unwrap();
        assert_eq!(
            (recovered.requeued.len(), recovered.failed.len()),
            if attempt < 3 { (1, 0) } else { (0, 1) }
        );
        let late = place
            .store
            .succeed(&held.lease, at(now + 31), outcome(&held))
            .await;
        assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
        let shown = place.store.get(id).await.unwrap().artifacts;
        assert_eq!(
            shown,
            [file(id, attempt, true).artifact],
            "a preview outlasts attempts"
        );
    }
    let job = place.store.get(id).await.unwrap();
    assert_eq!(job.failure.unwrap().kind, FailureKind::WorkerLost);
}

#[tokio::test]
async fn a_heartbeat_keeps_the_lease() {
    let place = Place::new();
    place.store.submit(new_job(1)).await.unwrap();
    let held = claim(&place.store, "a", 10).await.unwrap();
    assert_eq!(
        place.store.heartbeat(&held.lease, at(30), LEASE).await.unwrap(),
        Heartbeat::Continue
    );
    assert!(
        place
            .store
            .recover(at(59), 3, None)
            .await
            .unwrap()
            .requeued
            .is_empty()
    );
    assert_eq!(
        place.store.recover(at(60), 3, None).await.unwrap().requeued,
        [held.lease.job]
    );
}

#[tokio::test]
async fn a_restarted_worker_gets_its_jobs_back_at_once_and_no_other() {
    let place = Place::new();
    for n in [1, 2] {
        place.store.submit(new_job(n)).await.unwrap();
    }
    let dead = claim(&place.store, "a", 3).await.unwrap();
    let alive = claim(&place.store, "b", 3).await.unwrap();
    let recovered = place.store.recover(at(4), 3, Some(&worker("a"))).await.unwrap();
    assert_eq!(recovered.requeued, [dead.lease.job]);
    assert_eq!(
        place.store.get(alive.lease.job).await.unwrap().state,
        JobState::Running
    );
}

#[tokio::test]
async fn handing_back_does_not_use_up_attempts() {
    let place = Place::new();
    let id = place.store.submit(new_job(1)).await.unwrap().job.id;
    for n in 1..=5 {
        let held = claim(&place.store, "a", n * 10).await.unwrap();
        place.store.release(&held.lease, at(n * 10 + 1)).await.unwrap();
    }
    let held = claim(&place.store, "a", 100).await.unwrap();
    assert_eq!(
        place.store.recover(at(200), 3, None).await.unwrap().requeued,
        [id]
    );
    assert_eq!(held.lease.attempt, 6, "the name of a lease is never used again");
}

#[tokio::test]
async fn cancelling_a_running_job_ends_its_lease() {
    let place = Place::new();
    place.store.submit(new_job(1)).await.unwrap();
    let held = claim(&place.store, "a", 2).await.unwrap();
    let job = place.store.cancel(held.lease.job, at(3)).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(
        place.store.heartbeat(&held.lease, at(4), LEASE).await.unwrap(),
        Heartbeat::Cancelled
    );
    let failure = Failure::new(FailureKind::Internal, "too late");
    let late = place.store.fail(&held.lease, at(5), failure).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let again = place.store.cancel(held.lease.job, at(6)).await;
    assert!(matches!(
        again,
        Err(StoreError::WrongState {
            state: JobState::Cancelled,
            ..
        })
    ));
}

#[tokio::test]
async fn only_a_finished_job_can_be_deleted() {
    let place = Place::new();
    let id = place.store.submit(new_job(1)).await.unwrap().job.id;
    assert!(matches!(
        place.store.delete(id).await,
        Err(StoreError::WrongState { .. })
    ));
    let held = claim(&place.store, "a", 2).await.unwrap();
    assert!(matches!(
        place.store.delete(id).await,
        Err(StoreError::WrongState { .. })
    ));
    place
        .store
        .succeed(&held.lease, at(3), outcome(&held))
        .await
        .unwrap();
    let keys = place.store.delete(id).await.unwrap();
    assert_eq!(keys, [new_job(1).inputs[0].1.clone(), file(id, 1, false).key]);
    assert!(matches!(
        place.store.get(id).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(!place.store.knows(id).await.unwrap());
    let gone = place.store.heartbeat(&held.lease, at(4), LEASE).await;
    assert!(matches!(gone, Err(StoreError::LeaseLost { .. })), "{gone:?}");
}

#[tokio::test]
async fn an_idempotency_key_answers_with_the_first_job() {
    let place = Place::new();
    let with_key = |n, digest: &str| trellis_jobs::NewJob {
        idempotency: Some(("key".to_owned(), digest.to_owned())),
        // Full from the second on: a replay is answered all the same.
        queue_limit: 1,
        ..new_job(n)
    };
    let first = place.store.submit(with_key(1, "x")).await.unwrap();
    let again = place.store.submit(with_key(2, "x")).await.unwrap();
    assert_eq!((again.replayed, &again.job), (true, &first.job));
    let other = place.store.submit(with_key(3, "y")).await;
    assert!(matches!(other, Err(StoreError::KeyReused { .. })), "{other:?}");
    let refused = place
        .store
        .submit(trellis_jobs::NewJob {
            queue_limit: 1,
            ..new_job(4)
        })
        .await;
    assert!(
        matches!(refused, Err(StoreError::QueueFull { queued: 1, limit: 1 })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn pages_hold_every_job_once_even_when_the_cursor_is_deleted() {
    let place = Place::new();
    for n in 1..=5 {
        place.store.submit(new_job(n)).await.unwrap();
    }
    let page = |before, state| {
        place.store.list(JobQuery {
            state,
            limit: 2,
            before,
        })
    };
    let first = page(None, None).await.unwrap();
    assert_eq!(
        first.jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        [new_job(5).id, new_job(4).id]
    );
    place.store.cancel(new_job(4).id, at(9)).await.unwrap();
    place.store.delete(new_job(4).id).await.unwrap();
    let second = page(first.next, None).await.unwrap();
    assert_eq!(
        second.jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        [new_job(3).id, new_job(2).id]
    );
    let third = page(second.next, Some(JobState::Queued)).await.unwrap();
    assert_eq!(
        third.jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        [new_job(1).id]
    );
    assert_eq!(third.next, None);
    assert!(page(None, Some(JobState::Failed)).await.unwrap().jobs.is_empty());
}

#[tokio::test]
async fn events_resume_and_are_thinned_when_the_job_ends() {
    let place = Place::new();
    let id = place.store.submit(new_job(1)).await.unwrap().job.id;
    let held = claim(&place.store, "a", 2).await.unwrap();
    for n in 1..=12 {
        place.store.progress(&held.lease, at(2), step(n)).await.unwrap();
    }
    let all = place.store.events(id, 0, 100).await.unwrap();
    assert_eq!(all.len(), 14);
    assert!(all.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(place.store.events(id, all[4].seq, 3).await.unwrap(), all[5..8]);
    place
        .store
        .succeed(&held.lease, at(3), outcome(&held))
        .await
        .unwrap();
    let kept = place.store.events(id, 0, 100).await.unwrap();
    let progress: Vec<_> = kept
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Progress(_)))
        .collect();
    assert_eq!(progress.len(), 1);
    assert_eq!(progress[0].kind, EventKind::Progress(step(12)));
    assert!(matches!(
        kept.last().unwrap().kind,
        EventKind::State {
            state: JobState::Succeeded,
            attempt: 1,
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_create_the_same_database_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let opened = (0..8u32).map(|n| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || (n, SqliteStore::open(&path).unwrap()))
    });
    for opened in opened.collect::<Vec<_>>() {
        let (n, store) = opened.await.unwrap();
        store.submit(new_job(n)).await.unwrap();
        assert_eq!(store.stats().await.unwrap().queued, u64::from(n) + 1);
    }
}

#[tokio::test]
async fn changes_are_announced_also_across_processes() {
    let place = Place::new();
    let other = place.opened_again();
    let (mut here, mut there) = (place.store.watch(), other.watch());
    place.store.submit(new_job(1)).await.unwrap();
    here.changed().await.unwrap();
    there.changed().await.unwrap();
    assert!(claim(&other, "b", 2).await.is_some());
    let quiet = other.watch();
    assert!(claim(&other, "b", 3).await.is_none());
    assert!(
        !quiet.has_changed().unwrap(),
        "who finds nothing must not wake itself"
    );
}
