//! A database of an earlier version is brought up to date and keeps what is in it.

use rusqlite::Connection;
use trellis_core::JobState;
use trellis_jobs::{JobStore, SqliteStore};

const FIRST: &str = include_str!("../../src/sqlite/migrations/0001_jobs.sql");
const JOB: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn jobs_of_the_first_version_are_there_after_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let params = serde_json::to_string(&trellis_core::ParamsPatch::default().resolve(7).unwrap()).unwrap();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(FIRST).unwrap();
    old.execute_batch("PRAGMA application_id = 0x54524c6a; PRAGMA user_version = 1")
        .unwrap();
    old.execute(
        "INSERT INTO jobs (id, state, backend, params, made_by, created_at, updated_at, ended_at)
         VALUES (?1, 'succeeded', 'relief', ?2, 'relief', 1, 2, 2)",
        [JOB, &params],
    )
    .unwrap();
    old.close().unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let id = JOB.parse().unwrap();
    let job = store.get(id).await.unwrap();
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!((job.cached, job.provenance, job.statement), (false, None, None));
    assert_eq!(store.statement_key(id).await.unwrap(), None);
    // Opened again it is what it is.
    drop(SqliteStore::open(&path).unwrap());
}
