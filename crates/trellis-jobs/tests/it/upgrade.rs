//! A database of an earlier version is brought up to date and keeps what is in it.

use std::path::Path;

use rusqlite::Connection;
use trellis_core::{BackendChoice, JobId, JobState, ParamsPatch};
use trellis_jobs::{BlobKey, CacheKey, JobStore, NewJob, Owner, SqliteStore};

use crate::kit::{file, new_job};

/// The schemas of all earlier versions.
const EARLIER: [&str; 8] = [
    include_str!("../../src/sqlite/migrations/0001_jobs.sql"),
    include_str!("../../src/sqlite/migrations/0002_results.sql"),
    include_str!("../../src/sqlite/migrations/0003_timings.sql"),
    include_str!("../../src/sqlite/migrations/0004_owners.sql"),
    include_str!("../../src/sqlite/migrations/0005_memos.sql"),
    include_str!("../../src/sqlite/migrations/0006_spare.sql"),
    include_str!("../../src/sqlite/migrations/0007_traces.sql"),
    include_str!("../../src/sqlite/migrations/0008_names.sql"),
];
const JOB: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A finished job with everything that belongs to one, and the number that a deleted one had.
fn populate(path: &Path, version: usize) -> Connection {
    let id: JobId = JOB.parse().unwrap();
    let json = |value: serde_json::Value| value.to_string();
    let params = serde_json::to_value(ParamsPatch::default().resolve(7).unwrap()).unwrap();
    let input = serde_json::to_value(&new_job(1).inputs[0].0).unwrap();
    let artifact = serde_json::to_value(file(id, 1, false).artifact).unwrap();
    let old = Connection::open(path).unwrap();
    for schema in &EARLIER[..version] {
        old.execute_batch(schema).unwrap();
    }
    let (owner, nobody) = if version < 4 {
        ("", "")
    } else {
        (", owner", ", ''")
    };
    old.execute_batch(&format!(
        "PRAGMA application_id = 0x54524c6a; PRAGMA user_version = {version};
         INSERT INTO jobs (number, id, state, backend, params, made_by, attempt, charged, created_at, updated_at,
                           ended_at, idempotency_key, idempotency_digest{owner})
         VALUES (5, '{JOB}', 'succeeded', 'relief', '{params}', 'relief', 2, 1, 1, 2, 2, 'key', 'digest'{nobody});
         INSERT INTO inputs VALUES (5, 0, '{input}', 'jobs/{JOB}/input/0');
         INSERT INTO artifacts VALUES (5, 'model.glb', 0, '{artifact}', 'jobs/{JOB}/artifacts/1/model.glb');
         INSERT INTO history VALUES (5, 0, 'queued', 1, 0), (5, 1, 'succeeded', 2, 2);
         INSERT INTO events (job, at, kind) VALUES (5, 1, '{event}');
         UPDATE sqlite_sequence SET seq = 9 WHERE name = 'jobs'",
        params = json(params),
        input = json(input),
        artifact = json(artifact),
        event = r#"{"type":"state","state":"queued","attempt":0}"#,
    ))
    .unwrap();
    old
}

#[tokio::test]
async fn jobs_of_every_earlier_version_are_there_after_an_upgrade() {
    for version in 1..=EARLIER.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        populate(&path, version).close().unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let id = JOB.parse().unwrap();
        let found = store.find(id).await.unwrap();
        let job = &found.job;
        assert_eq!((job.state, job.attempt), (JobState::Succeeded, 2), "{version}");
        assert_eq!(
            (job.cached, &job.provenance, &job.statement),
            (false, &None, &None)
        );
        assert_eq!((job.backend, job.params.seed), (BackendChoice::Relief, 7));
        assert_eq!(
            (job.inputs.len(), job.artifacts.len(), job.history.len()),
            (1, 1, 2)
        );
        let stored = |rest: &str| BlobKey::from_stored(format!("jobs/{JOB}/{rest}"));
        assert_eq!(found.inputs, [stored("input/0")]);
        assert_eq!(found.artifacts, [stored("artifacts/1/model.glb")]);
        assert_eq!(
            (&found.owner, &found.cache_key),
            (&Owner::default(), &None::<CacheKey>)
        );
        assert_eq!(store.events(None, 0, 9).await.unwrap().len(), 1);
        let counted = store.stats().await.unwrap();
        assert_eq!((counted.queued, counted.succeeded), (0, 1));
        // Its idempotency key still answers, to its owner.
        let again = |owner: &str| NewJob {
            owner: Owner::named(owner),
            idempotency: Some(("key".to_owned(), "digest".to_owned())),
            ..new_job(3)
        };
        assert!(store.submit(again("")).await.unwrap().replayed);
        assert!(!store.submit(again("ada")).await.unwrap().replayed);
        drop(store);
        let opened = Connection::open(&path).unwrap();
        let kept: i64 = opened
            .query_row("SELECT size_bytes FROM jobs WHERE number = 5", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(kept, 9 + 4, "its picture and its file");
        let newest: i64 = opened
            .query_row("SELECT max(number) FROM jobs", [], |row| row.get(0))
            .unwrap();
        assert_eq!(newest, 10, "numbers of deleted jobs are not given again");
        let mut dangling = opened.prepare("PRAGMA foreign_key_check").unwrap();
        assert!(!dangling.exists([]).unwrap());
        opened
            .execute_batch("PRAGMA foreign_keys = ON; DELETE FROM jobs")
            .unwrap();
        let orphans = "SELECT count(*) FROM (SELECT job FROM inputs UNION ALL SELECT job FROM artifacts
                       UNION ALL SELECT job FROM history UNION ALL SELECT job FROM events)";
        let orphans: i64 = opened.query_row(orphans, [], |row| row.get(0)).unwrap();
        assert_eq!(orphans, 0, "what belongs to a job goes with it");
        // Opened again it is what it is.
        drop(SqliteStore::open(&path).unwrap());
    }
}
