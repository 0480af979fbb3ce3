//! Connections that break, at the worst moments too.

use std::time::Duration;

use trellis_core::{Failure, FailureKind, JobState};
use trellis_jobs::conformance::kit::{LEASE, at, claim, every_choice, new_job, outcome, worker};
use trellis_jobs::rules::Command;
use trellis_jobs::{JobStore, NewJob, Owner};
use trellis_store_postgres::Clock;

use crate::kit::{LISTENS, Place, skipped};
use crate::proxy::Proxy;

#[tokio::test]
async fn a_call_outlives_its_connection() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Callers).await;
    let store = &place.store;
    store.submit(new_job(1)).await.unwrap();
    let mut arrivals = store.arrivals();
    let other = place.again(Clock::Callers).await;
    for n in 2..=6 {
        place
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE pid <> pg_backend_pid() AND datname = current_database()",
            )
            .await;
        store.submit(new_job(n)).await.unwrap();
        assert_eq!(store.stats().await.unwrap().queued, u64::from(n));
    }
    arrivals.mark_seen();
    // And it hears of the others again.
    let mut heard = false;
    for n in 7..60 {
        other.submit(new_job(n)).await.unwrap();
        heard |= tokio::time::timeout(Duration::from_millis(200), arrivals.changed())
            .await
            .is_ok_and(|seen| seen.is_some());
        if heard {
            break;
        }
    }
    assert!(heard, "the store does not hear of others any more");
}

/// The connection over which it tells the others breaks each time: they hear of it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_told_is_told_once_the_store_is_connected_again() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Callers).await;
    let others = place.listeners().await;
    let store = place.again(Clock::Callers).await;
    for n in 1..=12 {
        let mut changes = place.store.subscribe(new_job(n).id);
        place
            .execute(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND {LISTENS} AND pid <> ALL('{{{others}}}')"
            ))
            .await;
        store.submit(new_job(n)).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(20), changes.changed()).await;
        assert!(heard.is_ok(), "nobody heard of job {n}");
    }
}

/// The connection breaks after the commit was sent and before it is answered: the call finds out that it was done.
#[tokio::test]
async fn what_was_committed_unheard_is_done_once() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Callers).await;
    let proxy = Proxy::start(place.sockets()).await;
    let store = place.through(&proxy).await;
    let direct = &place.store;

    let key = Some(("key".to_owned(), "digest".to_owned()));
    let new = NewJob {
        idempotency: key,
        ..new_job(1)
    };
    proxy.break_after_next_commit();
    let submitted = store.submit(new).await.unwrap();
    assert!(!submitted.replayed);
    assert_eq!(direct.stats().await.unwrap().queued, 1);
    assert_eq!(proxy.broken(), 1);

    let held = claim(&store, "a", 2).await.unwrap();
    proxy.break_after_next_commit();
    store.succeed(&held.lease, at(3), outcome(&held)).await.unwrap();
    let done = direct.get(held.lease.job).await.unwrap();
    assert_eq!(
        (done.state, done.history.len(), done.artifacts.len()),
        (JobState::Succeeded, 3, 1)
    );
    assert_eq!(proxy.broken(), 2);

    // Cancelled once, and not deleted by the second run.
    let id = store.submit(new_job(2)).await.unwrap().job.id;
    let end = || Command::CancelOrDelete { by: Owner::default() };
    proxy.break_after_next_commit();
    let cancelled = store.apply(id, at(4), end()).await.unwrap();
    assert_eq!(cancelled.job.map(|job| job.state), Some(JobState::Cancelled));
    assert_eq!(direct.get(id).await.unwrap().state, JobState::Cancelled);
    proxy.break_after_next_commit();
    assert_eq!(store.apply(id, at(5), end()).await.unwrap().state, None);
    assert!(direct.get(id).await.is_err());
    assert_eq!(proxy.broken(), 4);

    for n in [3, 4] {
        store.submit(new_job(n)).await.unwrap();
        let held = claim(&store, "a", 6).await.unwrap();
        proxy.break_after_next_commit();
        let failure = Failure::new(FailureKind::NoObject, "nothing is seen");
        if n == 3 {
            store.fail(&held.lease, at(7), failure).await.unwrap();
        } else {
            store.release(&held.lease, at(7)).await.unwrap();
        }
    }
    let stats = direct.stats().await.unwrap();
    assert_eq!((stats.failed, stats.queued, stats.running), (1, 1, 0));
    assert_eq!(proxy.broken(), 6);
}

/// The connection breaks after the commit was sent, and none can be made again: the caller is told that the change may have
/// been made. Of one that never reached the database it is told that it was not.
#[tokio::test]
async fn a_commit_that_nobody_answers_for_may_be_done() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Callers).await;
    let proxy = Proxy::start(place.sockets()).await;
    let store = place.through(&proxy).await;
    proxy.close_after_next_commit();
    let (unheard, unsent) = tokio::join!(store.submit(new_job(1)), async {
        while proxy.broken() == 0 {
            tokio::task::yield_now().await;
        }
        store.submit(new_job(2)).await
    });
    let (unheard, unsent) = (unheard.unwrap_err(), unsent.unwrap_err());
    assert!(unheard.may_be_done(), "{unheard:?}");
    assert!(!unsent.may_be_done(), "{unsent:?}");
    assert_eq!(place.store.stats().await.unwrap().queued, 1);
    assert!(place.store.get(new_job(1).id).await.is_ok());
}

/// Somebody hangs in the middle of a transaction, with a lock on the job whose turn it is.
#[tokio::test]
async fn a_job_that_somebody_holds_keeps_nobody_from_the_others() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Callers).await;
    let store = &place.store;
    for (n, owner) in [(1, "ada"), (2, "ada"), (3, "bob")] {
        let owner = Owner::named(owner);
        store.submit(NewJob { owner, ..new_job(n) }).await.unwrap();
    }
    let holder = place.hold(new_job(1).id).await;
    let claimed = async || {
        let claimed = store.claim(&worker("a"), &every_choice(), at(9), LEASE).await;
        claimed.unwrap().map(|claim| claim.lease.job)
    };
    // Ada is being served, as far as anybody can tell: Bob is next.
    assert_eq!(claimed().await, Some(new_job(3).id));
    assert_eq!(claimed().await, Some(new_job(2).id));
    // The last one is waited for: whoever holds it may leave it as it is.
    let (last, ()) = tokio::join!(claimed(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(holder);
    });
    assert_eq!(last, Some(new_job(1).id));
}
