//! The schema of the database: made once, changed once, shared by two versions.

use trellis_jobs::JobStore as _;
use trellis_jobs::conformance::kit::new_job;
use trellis_store_postgres::Clock;

use crate::kit::{Place, skipped};

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_may_start_on_an_empty_database_at_once() {
    if skipped() {
        return;
    }
    let place = Place::empty().await;
    let place = &place;
    let opened = futures::future::join_all((0..4u32).map(async |n| {
        let store = place.opened(Clock::Callers).await.unwrap();
        store.submit(new_job(n)).await.unwrap();
    }));
    assert_eq!(opened.await.len(), 4);
    let store = place.opened(Clock::Callers).await.unwrap();
    assert_eq!(store.stats().await.unwrap().queued, 4);
}

#[tokio::test]
async fn a_later_schema_is_used_where_it_says_that_this_version_may() {
    if skipped() {
        return;
    }
    let place = Place::empty().await;
    place.opened(Clock::Callers).await.unwrap();
    place.execute("UPDATE trellis.about SET version = 9").await;
    let store = place.opened(Clock::Callers).await.unwrap();
    store.submit(new_job(1)).await.unwrap();
    place.execute("UPDATE trellis.about SET works_with = 9").await;
    let refused = place.opened(Clock::Callers).await.err().unwrap();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("schema 9") && why.contains("up to 5"), "{why}");
}
