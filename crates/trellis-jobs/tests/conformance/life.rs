//! A job's life in the store, call by call.

#![expect(missing_docs, reason = "the names say what is tested")]

use futures::future::join_all;
use trellis_core::{Failure, FailureKind, JobId, JobState};

use super::Fixture;
use super::kit::{LEASE, at, claim, file, new_job, outcome, states, step, worker};
use crate::rules::Command;
use crate::{Applied, Heartbeat, Lease, NewJob, Owner, Recovered, StoreError};

pub async fn a_job_goes_from_queue_to_result<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let submitted = store.submit(new_job(1)).await.unwrap();
    assert!(!submitted.replayed);
    assert_eq!(submitted.job.state, JobState::Queued);

    let claim = claim(&*store, "a", 2).await.unwrap();
    assert_eq!(claim.job.state, JobState::Running);
    assert_eq!(claim.inputs, [new_job(1).inputs[0].1.clone()]);
    store.progress(&claim.lease, at(3), step(1)).await.unwrap();
    let running = store.get(claim.lease.job).await.unwrap();
    assert_eq!((running.progress, running.updated_at), (Some(step(1)), at(3)));

    let preview = file(claim.lease.job, 1, true);
    store
        .preview(claim.lease.job, at(4), preview.clone())
        .await
        .unwrap();
    assert_eq!(
        store.get(claim.lease.job).await.unwrap().artifacts,
        [preview.artifact]
    );

    store.succeed(&claim.lease, at(5), outcome(&claim)).await.unwrap();
    let stored = store.find(claim.lease.job).await.unwrap();
    let done = &stored.job;
    assert_eq!(done, &store.get(done.id).await.unwrap());
    assert_eq!(done.artifacts, [file(done.id, 1, false).artifact]);
    assert_eq!((done.made_by.as_deref(), done.progress), (Some("relief"), None));
    assert_eq!(
        states(done),
        [
            (JobState::Queued, 0),
            (JobState::Running, 1),
            (JobState::Succeeded, 1)
        ]
    );
    assert_eq!(stored.inputs, [new_job(1).inputs[0].1.clone()]);
    assert_eq!(stored.owner, Owner::default());
    assert_eq!(stored.into_outcome(), Some(outcome(&claim)));
}

pub async fn the_oldest_fitting_job_is_claimed_once<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for n in [1, 2, 3] {
        store.submit(new_job(n)).await.unwrap();
    }
    let first = claim(&*store, "a", 4).await.unwrap();
    let second = claim(&*store, "b", 4).await.unwrap();
    assert_eq!(first.lease.job, new_job(1).id);
    assert_eq!(second.lease.job, new_job(2).id);
}

pub async fn claims_at_the_same_time_never_share_a_job<F: Fixture>() {
    let place = F::new().await;
    let (store, other) = (place.store(), place.opened_again().await);
    for n in 1..=10 {
        store.submit(new_job(n)).await.unwrap();
    }
    let claims = (0..12).map(|n| claim(if n % 2 == 0 { &*store } else { &*other }, "a", 20));
    let claims = join_all(claims).await;
    let mut claimed: Vec<JobId> = claims.iter().flatten().map(|claim| claim.lease.job).collect();
    claimed.sort();
    assert_eq!(claimed, (1..=10).map(|n| new_job(n).id).collect::<Vec<_>>());
}

pub async fn submissions_at_the_same_time_with_one_key_make_one_job<F: Fixture>() {
    let place = F::new().await;
    let (store, other) = (place.store(), place.opened_again().await);
    let with_key = |n| NewJob {
        idempotency: Some(("key".to_owned(), "x".to_owned())),
        ..new_job(n)
    };
    let submissions = (1..=8).map(|n| if n % 2 == 0 { &store } else { &other }.submit(with_key(n)));
    let submitted = join_all(submissions).await;
    let submitted: Vec<_> = submitted.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        submitted.iter().filter(|submitted| !submitted.replayed).count(),
        1
    );
    assert!(submitted.iter().all(|other| other.job.id == submitted[0].job.id));
}

pub async fn a_job_keeps_the_trace_that_it_belongs_to<F: Fixture>() {
    let place = F::new().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        .parse()
        .ok();
    for traceparent in [trace, None] {
        let new = NewJob {
            traceparent,
            ..new_job(u32::from(traceparent.is_some()) + 1)
        };
        let id = place.store().submit(new).await.unwrap().job.id;
        let held = claim(&*place.store(), "a", 100).await.unwrap();
        assert_eq!((held.lease.job, held.job.traceparent), (id, traceparent));
        assert_eq!(
            place.opened_again().await.get(id).await.unwrap().traceparent,
            traceparent
        );
    }
}

/// The first answer was lost; the result must not be taken for one that nobody wants.
pub async fn a_success_that_is_told_again_is_the_same_success<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let id = store.submit(new_job(1)).await.unwrap().job.id;
    let held = claim(&*store, "a", 2).await.unwrap();
    store.succeed(&held.lease, at(3), outcome(&held)).await.unwrap();
    let before = store.find(id).await.unwrap();
    let told = store.events(Some(id), 0, 100).await.unwrap();
    store.succeed(&held.lease, at(4), outcome(&held)).await.unwrap();
    assert_eq!(store.find(id).await.unwrap(), before);
    assert_eq!(store.events(Some(id), 0, 100).await.unwrap(), told);
    // The attempt before has not succeeded.
    let earlier = Lease {
        attempt: held.lease.attempt - 1,
        ..held.lease.clone()
    };
    let late = store.succeed(&earlier, at(5), outcome(&held)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
}

pub async fn a_lapsed_lease_is_taken_back_and_given_up_after_three<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let id = store.submit(new_job(1)).await.unwrap().job.id;
    for attempt in 1..=3 {
        let now = i64::from(attempt) * 100;
        let held = claim(&*store, "a", now).await.unwrap();
        assert_eq!(held.lease.attempt, attempt);
        store.preview(id, at(now), file(id, attempt, true)).await.unwrap();
        let early = store.recover(at(now + 29), 3, None).await.unwrap();
        assert_eq!(early, Recovered::default());
        let recovered = store.recover(at(now + 30), 3, None).await.unwrap();
        assert_eq!(
            (recovered.requeued.len(), recovered.failed.len()),
            if attempt < 3 { (1, 0) } else { (0, 1) }
        );
        let late = store.succeed(&held.lease, at(now + 31), outcome(&held)).await;
        assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
        let shown = store.get(id).await.unwrap().artifacts;
        assert_eq!(
            shown,
            [file(id, attempt, true).artifact],
            "a preview outlasts attempts"
        );
    }
    let job = store.get(id).await.unwrap();
    assert_eq!(job.failure.unwrap().kind, FailureKind::WorkerLost);
}

pub async fn a_server_that_dies_with_several_jobs_is_charged_to_none_of_them<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let ids = [1, 2].map(|n| new_job(n).id);
    for n in [1, 2] {
        store.submit(new_job(n)).await.unwrap();
    }
    for death in 1..=5 {
        for _ in ids {
            let held = claim(&*store, "a", death).await.unwrap();
            assert_eq!(i64::from(held.lease.attempt), death);
        }
        // Another server's job is no company.
        let recovered = store.recover(at(death), 3, Some(&worker("a"))).await.unwrap();
        assert_eq!((recovered.requeued, recovered.failed), (ids.to_vec(), vec![]));
    }
    let other = claim(&*store, "b", 6).await.unwrap();
    for death in 1..=3 {
        let held = claim(&*store, "a", 6).await.unwrap();
        assert_ne!(held.lease.job, other.lease.job);
        let recovered = store.recover(at(6), 3, Some(&worker("a"))).await.unwrap();
        assert_eq!(recovered.failed.len(), usize::from(death == 3));
    }
    let failure = store.get(ids[1]).await.unwrap().failure.unwrap();
    assert_eq!(failure.kind, FailureKind::WorkerLost);
    assert_eq!(
        failure.message,
        "the server died during 3 attempts at this job while working on no other"
    );
}

pub async fn a_heartbeat_keeps_the_lease<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    store.submit(new_job(1)).await.unwrap();
    let held = claim(&*store, "a", 10).await.unwrap();
    assert_eq!(
        store.heartbeat(&held.lease, at(30), LEASE).await.unwrap(),
        Heartbeat::Continue
    );
    assert!(store.recover(at(59), 3, None).await.unwrap().requeued.is_empty());
    assert_eq!(
        store.recover(at(60), 3, None).await.unwrap().requeued,
        [held.lease.job]
    );
}

pub async fn a_restarted_worker_gets_its_jobs_back_at_once_and_no_other<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for n in [1, 2] {
        store.submit(new_job(n)).await.unwrap();
    }
    let dead = claim(&*store, "a", 3).await.unwrap();
    let alive = claim(&*store, "b", 3).await.unwrap();
    let recovered = store.recover(at(4), 3, Some(&worker("a"))).await.unwrap();
    assert_eq!(recovered.requeued, [dead.lease.job]);
    assert_eq!(store.get(alive.lease.job).await.unwrap().state, JobState::Running);
}

pub async fn handing_back_does_not_use_up_attempts<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let id = store.submit(new_job(1)).await.unwrap().job.id;
    for n in 1..=5 {
        let held = claim(&*store, "a", n * 10).await.unwrap();
        store.release(&held.lease, at(n * 10 + 1)).await.unwrap();
    }
    let held = claim(&*store, "a", 100).await.unwrap();
    assert_eq!(store.recover(at(200), 3, None).await.unwrap().requeued, [id]);
    assert_eq!(held.lease.attempt, 6, "the name of a lease is never used again");
}

pub async fn cancelling_a_running_job_ends_its_lease<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    store.submit(new_job(1)).await.unwrap();
    let held = claim(&*store, "a", 2).await.unwrap();
    let cancel = |seconds| {
        let by = Owner::default();
        store.apply(held.lease.job, at(seconds), Command::Cancel { by })
    };
    let cancelled = cancel(3).await.unwrap();
    assert_eq!(cancelled.job.unwrap().state, JobState::Cancelled);
    assert_eq!(
        store.heartbeat(&held.lease, at(4), LEASE).await.unwrap(),
        Heartbeat::Cancelled
    );
    let failure = Failure::new(FailureKind::Internal, "too late");
    let late = store.fail(&held.lease, at(5), failure).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let again = cancel(6).await;
    assert!(matches!(
        again,
        Err(StoreError::WrongState {
            state: JobState::Cancelled,
            ..
        })
    ));
}

pub async fn only_a_finished_job_can_be_deleted<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let id = store.submit(new_job(1)).await.unwrap().job.id;
    let delete = || store.apply(id, at(9), Command::Delete);
    assert!(matches!(delete().await, Err(StoreError::WrongState { .. })));
    let held = claim(&*store, "a", 2).await.unwrap();
    assert!(matches!(delete().await, Err(StoreError::WrongState { .. })));
    store.succeed(&held.lease, at(3), outcome(&held)).await.unwrap();
    let gone = Applied {
        state: None,
        job: None,
        replaced: None,
    };
    assert_eq!(delete().await.unwrap(), gone);
    assert!(matches!(delete().await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.find(id).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(
        store.events(Some(id), 0, 9).await,
        Err(StoreError::NotFound { .. })
    ));
    let late = store.heartbeat(&held.lease, at(4), LEASE).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
}

pub async fn a_client_s_last_word_cancels_a_live_job_and_deletes_a_finished_one<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let ada = Owner::named("ada");
    let owned = NewJob {
        owner: ada.clone(),
        ..new_job(1)
    };
    let id = store.submit(owned).await.unwrap().job.id;
    let end = |by: &Owner| store.apply(id, at(9), Command::CancelOrDelete { by: by.clone() });
    for other in [Owner::default(), Owner::named("bob")] {
        let refused = end(&other).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    let cancelled = end(&ada).await.unwrap();
    assert_eq!(cancelled.job.as_ref(), Some(&store.get(id).await.unwrap()));
    assert_eq!(cancelled.state, Some(JobState::Cancelled));
    let bob = end(&Owner::named("bob")).await;
    assert!(matches!(bob, Err(StoreError::NotFound { .. })), "{bob:?}");
    assert_eq!(end(&ada).await.unwrap().state, None);
    assert!(matches!(end(&ada).await, Err(StoreError::NotFound { .. })));
}

pub async fn an_idempotency_key_answers_with_the_first_job<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let with_key = |n, digest: &str| NewJob {
        idempotency: Some(("key".to_owned(), digest.to_owned())),
        // Full from the second on: a replay is answered all the same.
        queue_limit: 1,
        ..new_job(n)
    };
    let first = store.submit(with_key(1, "x")).await.unwrap();
    let again = store.submit(with_key(2, "x")).await.unwrap();
    assert_eq!((again.replayed, &again.job), (true, &first.job));
    let other = store.submit(with_key(3, "y")).await;
    assert!(matches!(other, Err(StoreError::KeyReused { .. })), "{other:?}");
    let refused = store
        .submit(NewJob {
            queue_limit: 1,
            ..new_job(4)
        })
        .await;
    assert!(
        matches!(refused, Err(StoreError::QueueFull { queued: 1, limit: 1 })),
        "{refused:?}"
    );
}

pub async fn an_idempotency_key_is_its_owner_s_own<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let with_key = |n, owner: &str, digest: &str| NewJob {
        owner: Owner::named(owner),
        idempotency: Some(("key".to_owned(), digest.to_owned())),
        ..new_job(n)
    };
    let first = store.submit(with_key(1, "ada", "x")).await.unwrap().job;
    for (n, owner, digest) in [(2, "bob", "x"), (3, "eve", "y"), (4, "", "x")] {
        let other = store.submit(with_key(n, owner, digest)).await.unwrap();
        assert!(!other.replayed && other.job.id != first.id, "{owner}");
    }
    let again = store.submit(with_key(5, "ada", "x")).await.unwrap();
    assert_eq!((again.replayed, again.job), (true, first));
}
