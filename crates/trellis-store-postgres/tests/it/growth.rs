//! What calls read of the table of jobs, however many there are.

use std::time::Duration;

use trellis_jobs::conformance::kit::{LEASE, at, every_choice, new_job, worker};
use trellis_jobs::rules::Command;
use trellis_jobs::{JobQuery, JobStore, NewJob, Owner, Rights, StoreError, StoreStats};
use trellis_store_postgres::Clock;

use crate::kit::{Empty, Place, skipped};

const FINISHED: u64 = 20_000;
const WAITING: u64 = 3_000;
/// A page has two rows, and everything else is looked up by index.
const FEW: i64 = 100;

/// Finished jobs of Ada, and jobs of three others that wait.
async fn filled() -> Empty {
    let place = Place::empty().await;
    drop(place.opened(Clock::Callers).await.unwrap());
    let params = serde_json::to_string(&new_job(1).params).unwrap();
    let fill = |state: &str, owner: &str, ended_at: &str, bytes: u32, count: u64| {
        format!(
            "INSERT INTO trellis.jobs
                 (id, owner, state, backend, params, created_at, updated_at, ended_at, size_bytes)
             SELECT gen_random_uuid(), {owner}, '{state}', 'auto', '{params}', n, n, {ended_at}, {bytes}
             FROM generate_series(1, {count}) AS n"
        )
    };
    place.execute(&fill("succeeded", "'ada'", "n", 7, FINISHED)).await;
    place
        .execute(&fill("queued", "'owner-' || n % 3", "NULL", 0, WAITING))
        .await;
    place.execute("ANALYZE trellis.jobs").await;
    place
}

/// She may have one job waiting.
fn ada(kept_bytes: u64) -> Owner {
    Owner::named("ada").with(Rights {
        sees_all: false,
        queued: Some(1),
        kept_bytes: Some(kept_bytes),
    })
}

#[tokio::test]
async fn calls_read_a_few_rows_however_many_jobs_are_kept_and_wait() {
    if skipped() {
        return;
    }
    let place = filled().await;
    place.count_anew().await;
    let store = place.opened(Clock::Callers).await.unwrap();
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.queued, stats.succeeded), (WAITING, FINISHED));
    let submitted = NewJob {
        owner: ada(u64::MAX),
        queue_limit: WAITING + 1,
        ..new_job(1)
    };
    store.submit(submitted).await.unwrap();
    store.find(new_job(1).id).await.unwrap();
    let query = JobQuery {
        owner: ada(u64::MAX),
        limit: 1,
        ..JobQuery::default()
    };
    store.list(query).await.unwrap();
    assert_eq!(store.waits_as(&[new_job(1).id]).await.unwrap().len(), 1);
    let none = store.expired(Some(FINISHED), Some(at(-1_700_000_000)), 9).await;
    assert_eq!(none.unwrap(), []);
    for _ in 0..3 {
        let claim = store.claim(&worker("a"), &every_choice(), at(900), LEASE).await;
        assert!(claim.unwrap().is_some());
    }
    store.lapsed(at(999), None).await.unwrap();
    drop(store);
    let read = place.rows_read().await;
    assert!(read < FEW, "{read} rows of jobs were read");
}

#[tokio::test]
async fn what_is_counted_is_what_there_is() {
    if skipped() {
        return;
    }
    let place = filled().await;
    // Those of before the counts, as the migration finds them.
    place
        .execute(
            "DELETE FROM trellis.counts; DELETE FROM trellis.owned; UPDATE trellis.about SET version = 3",
        )
        .await;
    place
        .execute(
            "DROP FUNCTION trellis.count_job CASCADE; DROP FUNCTION trellis.count_owned CASCADE;
             DROP TABLE trellis.counts, trellis.owned; DROP INDEX trellis.jobs_in_turn, trellis.jobs_by_priority;
             ALTER TABLE trellis.jobs DROP COLUMN priority, DROP COLUMN passed_over",
        )
        .await;
    let store = place.opened(Clock::Callers).await.unwrap();
    let counted = async || store.stats().await.unwrap();
    let before = StoreStats {
        queued: WAITING,
        succeeded: FINISHED,
        ..StoreStats::default()
    };
    assert_eq!(counted().await, before);
    let claim = store
        .claim(&worker("a"), &every_choice(), at(900), LEASE)
        .await
        .unwrap();
    assert_eq!(
        (counted().await.queued, counted().await.running),
        (WAITING - 1, 1)
    );
    store.release(&claim.unwrap().lease, at(901)).await.unwrap();
    assert_eq!(counted().await, before);

    // One byte more than Ada may keep; and room again after one of her jobs is gone.
    let submit = async |n: u32, owner: Owner, queue_limit: u64| {
        let job = NewJob {
            owner,
            queue_limit,
            ..new_job(n)
        };
        store.submit(job).await
    };
    let full = submit(2, ada(7 * FINISHED + 8), 9_999).await;
    assert!(matches!(full, Err(StoreError::OwnStorageFull { kept_bytes, .. }) if kept_bytes == 7 * FINISHED));
    let one_less =
        "DELETE FROM trellis.jobs WHERE number = (SELECT min(number) FROM trellis.jobs WHERE owner = 'ada')";
    place.execute(one_less).await;
    submit(2, ada(7 * FINISHED + 8), 9_999).await.unwrap();
    let full = submit(3, ada(u64::MAX), 9_999).await;
    assert!(matches!(full, Err(StoreError::OwnQueueFull { queued: 1, .. })));
    let full = submit(3, Owner::default(), WAITING + 1).await;
    assert!(matches!(full, Err(StoreError::QueueFull { queued, .. }) if queued == WAITING + 1));
    let by = ada(0);
    store
        .apply(new_job(2).id, at(902), Command::Cancel { by })
        .await
        .unwrap();
    let after = StoreStats {
        succeeded: FINISHED - 1,
        cancelled: 1,
        ..before
    };
    assert_eq!(counted().await, after);
}

/// Connections count in lines of their own, and what they count is there together.
#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_are_all_counted() {
    if skipped() {
        return;
    }
    let place = Place::empty().await;
    let open = async || place.opened(Clock::Callers).await.unwrap();
    let stores = [open().await, open().await];
    let limit = Duration::from_secs(60);
    let all = futures::future::join_all((0..60_u32).map(async |n| {
        let store = &stores[usize::try_from(n % 2).unwrap()];
        store.submit(new_job(n)).await.unwrap();
        let claim = store
            .claim(&worker("a"), &every_choice(), at(900), limit)
            .await
            .unwrap();
        if n % 3 == 0
            && let Some(claim) = claim
        {
            store.release(&claim.lease, at(901)).await.unwrap();
        }
    }));
    all.await;
    let stats = stores[0].stats().await.unwrap();
    assert_eq!(stats.queued + stats.running, 60);
    let queued = place
        .number("SELECT count(*) FROM trellis.jobs WHERE state = 'queued'")
        .await;
    assert_eq!(i64::try_from(stats.queued).unwrap(), queued);
    let bytes = place.number("SELECT sum(bytes)::bigint FROM trellis.owned").await;
    assert_eq!(bytes, 60 * 9);
}
