//! What the store tells of its jobs: lists, earlier results, events, counts, what expires, hints.

#![expect(missing_docs, reason = "the names say what is tested")]

use std::time::Duration;

use futures::FutureExt as _;
use trellis_core::{EventKind, Failure, FailureKind, JobId, JobState};

use super::Fixture;
use super::kit::{LEASE, at, claim, new_job, outcome, outcome_of, states, step};
use crate::rules::Command;
use crate::{CacheKey, JobQuery, JobStore, NewJob, Owner, Seen, StoreStats, StoredJob};

pub async fn a_list_holds_what_its_owner_sees<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, owner) in [(1, "ada"), (2, "bob"), (3, ""), (4, "ada")] {
        let owner = Owner::named(owner);
        store.submit(NewJob { owner, ..new_job(n) }).await.unwrap();
    }
    for (owner, seen) in [
        ("ada", vec![4, 3, 1]),
        ("bob", vec![3, 2]),
        ("eve", vec![3]),
        ("", vec![3]),
    ] {
        for state in [None, Some(JobState::Queued)] {
            let query = JobQuery {
                owner: Owner::named(owner),
                state,
                limit: 9,
                ..JobQuery::default()
            };
            let listed = store.list(query).await.unwrap().jobs;
            let listed: Vec<JobId> = listed.iter().map(|job| job.id).collect();
            let seen: Vec<JobId> = seen.iter().map(|n| new_job(*n).id).collect();
            assert_eq!(listed, seen, "{owner}");
        }
    }
}

pub async fn pages_hold_every_job_once_even_when_the_cursor_is_deleted<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for n in 1..=5 {
        store.submit(new_job(n)).await.unwrap();
    }
    let page = |before, state| {
        store.list(JobQuery {
            state,
            limit: 2,
            before,
            ..JobQuery::default()
        })
    };
    let first = page(None, None).await.unwrap();
    assert_eq!(
        first.jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        [new_job(5).id, new_job(4).id]
    );
    for _ in 0..2 {
        let by = Owner::default();
        let command = Command::CancelOrDelete { by };
        store.apply(new_job(4).id, at(9), command).await.unwrap();
    }
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

/// Ends the oldest job with a result of that key.
async fn succeed_with_key(store: &dyn JobStore, key: &CacheKey, seconds: i64) -> StoredJob {
    let held = claim(store, "a", seconds).await.unwrap();
    let mut outcome = outcome(&held);
    outcome.cache_key = Some(key.clone());
    store.succeed(&held.lease, at(seconds), outcome).await.unwrap();
    store.find(held.lease.job).await.unwrap()
}

pub async fn a_result_is_found_by_its_key_and_owner_the_newest_first<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let params = new_job(1).params;
    let (key, other_key) = (CacheKey::new(&[], &params, "x"), CacheKey::new(&[], &params, "y"));
    let ada = Owner::named("ada");
    let mut made = Vec::new();
    for (n, owner, key) in [
        (1, &ada, &key),
        (2, &ada, &other_key),
        (3, &Owner::default(), &key),
        (4, &ada, &key),
    ] {
        let owner = owner.clone();
        store.submit(NewJob { owner, ..new_job(n) }).await.unwrap();
        made.push(succeed_with_key(&*store, key, 9).await);
    }
    let (first, last) = (made[0].clone(), made[3].clone());
    assert_eq!(first.cache_key, Some(key.clone()));
    let newest = store.cached(&ada, &key, 1).await.unwrap();
    assert_eq!(newest, std::slice::from_ref(&last));
    assert_eq!(
        store.cached(&ada, &key, 9).await.unwrap(),
        [last.clone(), first.clone()]
    );
    assert!(
        store
            .cached(&Owner::named("bob"), &key, 9)
            .await
            .unwrap()
            .is_empty()
    );
    store.apply(last.job.id, at(10), Command::Delete).await.unwrap();
    assert_eq!(store.cached(&ada, &key, 9).await.unwrap(), [first]);
}

pub async fn a_recalled_job_is_done_at_once_and_tells_so<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let new = new_job(1);
    let recalled = NewJob {
        recalled: Some(outcome_of(new.id, 0)),
        // It does not wait, so a full queue takes it.
        queue_limit: 0,
        ..new
    };
    let job = store.submit(recalled).await.unwrap().job;
    assert_eq!(
        (job.state, job.cached, job.attempt),
        (JobState::Succeeded, true, 0)
    );
    assert_eq!(states(&job), [(JobState::Queued, 0), (JobState::Succeeded, 0)]);
    let events = store.events(Some(job.id), 0, 100).await.unwrap();
    let kinds = events.iter().map(|event| match &event.kind {
        EventKind::State { state, attempt, .. } => format!("{state} {attempt}"),
        EventKind::Artifact { name, .. } => name.clone(),
        other => format!("{other:?}"),
    });
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        ["queued 0", "model.glb", "succeeded 0"]
    );
    assert!(claim(&*store, "a", 2).await.is_none());
}

pub async fn events_resume_and_are_thinned_when_the_job_ends<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let id = store.submit(new_job(1)).await.unwrap().job.id;
    let held = claim(&*store, "a", 2).await.unwrap();
    for n in 1..=12 {
        store.progress(&held.lease, at(2), step(n)).await.unwrap();
    }
    let all = store.events(Some(id), 0, 100).await.unwrap();
    assert_eq!(all.len(), 14);
    assert!(all.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(store.events(Some(id), all[4].seq, 3).await.unwrap(), all[5..8]);
    store.succeed(&held.lease, at(3), outcome(&held)).await.unwrap();
    let kept = store.events(Some(id), 0, 100).await.unwrap();
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

pub async fn the_feed_tells_of_all_jobs_in_order<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, owner) in [(1, ""), (2, "ada")] {
        let owner = Owner::named(owner);
        store.submit(NewJob { owner, ..new_job(n) }).await.unwrap();
    }
    let held = claim(&*store, "a", 3).await.unwrap();
    let feed = store.events(None, 0, 100).await.unwrap();
    let jobs: Vec<JobId> = feed.iter().map(|event| event.job).collect();
    assert_eq!(jobs, [new_job(1).id, new_job(2).id, held.lease.job]);
    assert!(feed.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(store.events(None, feed[0].seq, 1).await.unwrap(), feed[1..2]);
    assert_eq!(
        store.events(Some(held.lease.job), 0, 9).await.unwrap(),
        [feed[0].clone(), feed[2].clone()]
    );
}

pub async fn what_expires_is_finished_and_goes_by_its_end<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for n in 1..=5 {
        store.submit(new_job(n)).await.unwrap();
    }
    // The second ends first; the fourth runs and the fifth waits.
    let mut held = Vec::new();
    for _ in 1..=4 {
        held.push(claim(&*store, "a", 10).await.unwrap());
    }
    for (n, seconds) in [(2, 20), (1, 30), (3, 40)] {
        let claim = &held[n - 1];
        store
            .succeed(&claim.lease, at(seconds), outcome(claim))
            .await
            .unwrap();
    }
    let ids = |numbers: &[u32]| numbers.iter().map(|n| new_job(*n).id).collect::<Vec<_>>();
    for (keep_jobs, ended_before, limit, expired) in [
        (None, None, 9, ids(&[])),
        (Some(2), None, 9, ids(&[2])),
        (Some(0), None, 9, ids(&[2, 1, 3])),
        (Some(0), None, 2, ids(&[2, 1])),
        (None, Some(at(30)), 9, ids(&[2])),
        (Some(9), Some(at(31)), 9, ids(&[2, 1])),
        (Some(0), Some(at(0)), 9, ids(&[2, 1, 3])),
    ] {
        assert_eq!(
            store.expired(keep_jobs, ended_before, limit).await.unwrap(),
            expired
        );
    }
}

pub async fn memos_and_deleted_jobs_are_remembered_until_they_need_not_be<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    assert_eq!(store.memo("a").await.unwrap(), None);
    for value in ["1", "2"] {
        store.keep_memo("a", value).await.unwrap();
    }
    assert_eq!(store.newest().await.unwrap(), None);
    for n in [1, 2] {
        store.submit(new_job(n)).await.unwrap();
        let by = Owner::default();
        let cancel = Command::Cancel { by };
        store
            .apply(new_job(n).id, at(30 - i64::from(n)), cancel)
            .await
            .unwrap();
    }
    assert_eq!(store.newest().await.unwrap(), Some(at(29)));
    assert_eq!(store.deleted().await.unwrap(), []);
    for n in [1, 2] {
        store.apply(new_job(n).id, at(40), Command::Delete).await.unwrap();
    }
    store.forget_deleted(&[new_job(1).id]).await.unwrap();
    let again = place.opened_again().await;
    assert_eq!(again.deleted().await.unwrap(), [new_job(2).id]);
    assert_eq!(again.memo("a").await.unwrap().as_deref(), Some("2"));
    assert_eq!(again.memo("b").await.unwrap(), None);
}

pub async fn jobs_are_counted_by_state<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    assert_eq!(store.stats().await.unwrap(), StoreStats::default());
    for n in 1..=5 {
        store.submit(new_job(n)).await.unwrap();
    }
    let done = claim(&*store, "a", 10).await.unwrap();
    store.succeed(&done.lease, at(11), outcome(&done)).await.unwrap();
    let failed = claim(&*store, "a", 12).await.unwrap();
    let failure = Failure::new(FailureKind::NoObject, "none");
    store.fail(&failed.lease, at(13), failure).await.unwrap();
    let by = Owner::default();
    store
        .apply(new_job(3).id, at(14), Command::Cancel { by })
        .await
        .unwrap();
    let running = claim(&*store, "a", 15).await.unwrap();
    let counted = StoreStats {
        queued: 1,
        running: 1,
        succeeded: 1,
        failed: 1,
        cancelled: 1,
    };
    assert_eq!(store.stats().await.unwrap(), counted);
    store.release(&running.lease, at(16)).await.unwrap();
    store
        .apply(failed.lease.job, at(17), Command::Delete)
        .await
        .unwrap();
    let counted = StoreStats {
        queued: 2,
        running: 0,
        failed: 0,
        ..counted
    };
    assert_eq!(store.stats().await.unwrap(), counted);
    // One that is refused changes nothing.
    let refused = NewJob {
        queue_limit: 2,
        ..new_job(6)
    };
    store.submit(refused).await.unwrap_err();
    assert_eq!(store.stats().await.unwrap(), counted);
}

pub async fn changes_wake_those_who_wait_for_them_and_nobody_else<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let (one, other) = (new_job(1).id, new_job(2).id);
    let mut of_one = store.subscribe(one);
    let mut of_other = store.subscribe(other);
    let mut arrivals = store.arrivals();
    store.submit(new_job(1)).await.unwrap();
    let seen = |state, attempt| Some(Seen { state, attempt });
    assert_eq!(of_one.changed().await, seen(JobState::Queued, 0));
    assert_eq!(arrivals.changed().await, seen(JobState::Queued, 0));
    let held = claim(&*store, "a", 2).await.unwrap();
    assert_eq!(of_one.changed().await, seen(JobState::Running, 1));
    store.progress(&held.lease, at(3), step(1)).await.unwrap();
    assert_eq!(of_one.changed().await, seen(JobState::Running, 1));
    // Nothing that anybody sees.
    store.heartbeat(&held.lease, at(3), LEASE).await.unwrap();
    assert!(claim(&*store, "b", 3).await.is_none());
    for quiet in [&mut of_one, &mut of_other, &mut arrivals] {
        assert_eq!(quiet.changed().now_or_never(), None);
    }
    store.release(&held.lease, at(4)).await.unwrap();
    assert_eq!(arrivals.changed().await, seen(JobState::Queued, 1));
    assert_eq!(of_other.changed().now_or_never(), None);
}

pub async fn changes_of_another_process_wake_too<F: Fixture>() {
    let place = F::new().await;
    let other = place.opened_again().await;
    let (mut of_job, mut arrivals) = (other.subscribe(new_job(1).id), other.arrivals());
    place.store().submit(new_job(1)).await.unwrap();
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, of_job.changed()).await.unwrap();
    tokio::time::timeout(patience, arrivals.changed()).await.unwrap();
    assert!(claim(&*other, "b", 2).await.is_some());
}
