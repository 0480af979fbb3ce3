//! The embedded store: what every store does, and what several processes on one file do.

use trellis_jobs::{JobStore, SqliteStore};

use crate::kit::{Place, new_job};

trellis_jobs::job_store_conformance!(Place);

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
