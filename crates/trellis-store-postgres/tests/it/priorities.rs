//! Priorities of jobs that come from another store, and of jobs that somebody holds.

use trellis_core::{JobId, Priority};
use trellis_jobs::conformance::kit::{LEASE, at, every_choice, new_job, worker};
use trellis_jobs::{Gives, JobStore, NewJob, SqliteStore, Takes};
use trellis_store_postgres::Clock;

use crate::kit::{Place, skipped};

/// Whoever works on the row of a waiting job, with a preview for example, keeps no claim waiting.
#[tokio::test]
async fn a_claim_does_not_wait_for_a_job_that_it_passes_over() {
    if skipped() {
        return;
    }
    let place = Place::with(Clock::Callers).await;
    for (n, priority) in [(1, Priority::Low), (2, Priority::High), (3, Priority::High)] {
        let new = NewJob {
            priority,
            ..new_job(n)
        };
        place.store.submit(new).await.unwrap();
    }
    let counted = "SELECT passed_over::text FROM trellis.jobs ORDER BY number";
    let holder = place.hold(new_job(1).id).await;
    assert_eq!(claimed(&place.store).await, Some(new_job(2).id));
    assert_eq!(place.texts(counted).await, ["0", "0", "0"]);
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(claimed(&place.store).await, Some(new_job(3).id));
    assert_eq!(place.texts(counted).await, ["1", "0", "0"]);
}

/// There and back.
#[tokio::test]
async fn jobs_keep_their_priorities() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let embedded = |name: &str| SqliteStore::open(&folder.path().join(name)).unwrap();
    let (from, to) = (embedded("from.db"), embedded("to.db"));
    for (n, priority) in (1..).zip(Priority::ALL) {
        let new = NewJob {
            priority,
            ..new_job(n)
        };
        from.submit(new).await.unwrap();
    }
    let place = Place::with(Clock::Callers).await;
    bring(&from, &place.store).await;
    bring(&place.store, &to).await;
    for (n, priority) in (1..).zip(Priority::ALL) {
        let id = new_job(n).id;
        assert_eq!(place.store.get(id).await.unwrap().priority, priority);
        assert_eq!(to.get(id).await.unwrap().priority, priority);
    }
    for n in [3, 2, 1] {
        assert_eq!(claimed(&place.store).await, Some(new_job(n).id));
        assert_eq!(claimed(&to).await, Some(new_job(n).id));
    }
}

async fn claimed(store: &dyn JobStore) -> Option<JobId> {
    let claimed = store.claim(&worker("a"), &every_choice(), at(900), LEASE).await;
    claimed.unwrap().map(|claim| claim.lease.job)
}

async fn bring(from: &impl Gives, to: &impl Takes) {
    for (_, job) in from.wholes(0, 9).await.unwrap() {
        assert!(to.take(&job).await.unwrap());
    }
}
