//! Databases and programs of earlier schemas: brought up to date whatever they are, and worked on beside this version.

use std::fs;
use std::path::Path;

use trellis_core::{JobId, JobState, Priority};
use trellis_jobs::JobStore as _;
use trellis_jobs::conformance::kit::{LEASE, at, every_choice, new_job, outcome, worker};
use trellis_store_postgres::Clock;

use crate::kit::{Empty, Place, skipped};

/// The migrations, oldest first.
fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/migrations");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

/// A database as the program that knew so many of them has left it.
async fn of_version(known: usize) -> Empty {
    let place = Place::empty().await;
    let texts = migrations()[..known].join(";\n");
    let begin = "CREATE SCHEMA trellis; SET search_path = trellis;
                 CREATE TABLE about (version int NOT NULL, works_with int NOT NULL)";
    let about = format!("INSERT INTO about VALUES ({known}, 1)");
    place.execute(&format!("{begin};\n{texts};\n{about}")).await;
    place
}

/// All tables, columns, indexes, conditions and triggers.
const EVERYTHING: &str = "
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, collation_name)
    FROM information_schema.columns WHERE table_schema = 'trellis'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'trellis'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
              WHERE connamespace = 'trellis'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger
              WHERE tgrelid::regclass::text LIKE 'trellis.%' AND NOT tgisinternal
    ORDER BY 1";

#[tokio::test]
async fn the_database_of_every_earlier_version_becomes_that_of_this_one() {
    if skipped() {
        return;
    }
    let new = Place::with(Clock::Callers).await;
    let expected = new.texts(EVERYTHING).await;
    assert!(expected.len() > 40, "{expected:?}");
    for known in 1..migrations().len() {
        let old = of_version(known).await;
        let store = old.opened(Clock::Callers).await.unwrap();
        store.submit(new_job(1)).await.unwrap();
        assert_eq!(old.texts(EVERYTHING).await, expected, "from schema {known}");
    }
}

/// What a program that knows the first schema alone does to it, in its own words.
struct Former<'a>(&'a Empty);

impl Former<'_> {
    /// Submits a job like one that is there.
    async fn submit(&self, like: JobId, id: JobId) {
        let insert = format!(
            "SET search_path = trellis;
             INSERT INTO jobs (id, owner, state, backend, params, created_at, updated_at, idempotency_key,
                               idempotency_digest, cached, traceparent, name, name_folded, webhook, source)
             SELECT '{id}', owner, 'queued', backend, params, created_at, updated_at, NULL, NULL, cached, traceparent,
                    name, name_folded, webhook, source
             FROM jobs WHERE id = '{like}';
             INSERT INTO inputs (job, position, input, key, size_bytes)
             SELECT number, position, input, key, inputs.size_bytes
             FROM jobs CROSS JOIN inputs
             WHERE id = '{id}' AND inputs.job = (SELECT number FROM jobs WHERE id = '{like}');
             INSERT INTO history (job, position, state, at, attempt)
             SELECT number, 0, 'queued', created_at, 0 FROM jobs WHERE id = '{id}'"
        );
        self.0.execute(&insert).await;
    }

    /// Begins and ends one.
    async fn works_on(&self, id: JobId) {
        let work = format!(
            "SET search_path = trellis;
             UPDATE jobs SET state = 'running', attempt = 1, charged = 1, worker = 'former', lease_until = updated_at + 1,
                             updated_at = updated_at + 1, ended_at = NULL, failure = NULL, progress = NULL
             WHERE id = '{id}' AND state = 'queued';
             UPDATE jobs SET made_by = 'relief', notes = '[]', timings = NULL, cache_key = NULL WHERE id = '{id}';
             UPDATE jobs SET state = 'succeeded', worker = NULL, lease_until = NULL, ended_at = updated_at WHERE id = '{id}';
             INSERT INTO history (job, position, state, at, attempt)
             SELECT number, nth, entered, updated_at, 1
             FROM jobs CROSS JOIN unnest(ARRAY['running', 'succeeded']) WITH ORDINALITY AS entries (entered, nth)
             WHERE id = '{id}'"
        );
        self.0.execute(&work).await;
    }
}

#[tokio::test]
async fn a_program_of_the_first_schema_goes_on_while_this_one_works_beside_it() {
    if skipped() {
        return;
    }
    let old = of_version(1).await;
    let former = Former(&old);
    let store = old.opened(Clock::Callers).await.unwrap();
    let ids = [1, 2, 3].map(|n| new_job(n).id);
    store.submit(new_job(1)).await.unwrap();
    former.submit(ids[0], ids[1]).await;
    store.submit(new_job(3)).await.unwrap();

    // Each works on a job of the other.
    former.works_on(ids[2]).await;
    for id in [ids[0], ids[1]] {
        let claim = store.claim(&worker("new"), &every_choice(), at(900), LEASE).await;
        let claim = claim.unwrap().unwrap();
        assert_eq!(claim.lease.job, id);
        assert!(!claim.inputs.is_empty());
        store
            .succeed(&claim.lease, at(901), outcome(&claim))
            .await
            .unwrap();
    }
    for id in ids {
        let job = store.get(id).await.unwrap();
        assert_eq!((job.state, job.priority), (JobState::Succeeded, Priority::Normal));
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.queued, stats.running, stats.succeeded), (0, 0, 3));
}
