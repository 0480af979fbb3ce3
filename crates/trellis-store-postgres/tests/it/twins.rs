//! The embedded store and this one, side by side.

use std::sync::Arc;

use tempfile::TempDir;
use trellis_jobs::conformance::{Fixture, skipped, twins};
use trellis_jobs::{JobStore, SqliteStore};

use crate::kit::Place;

/// An embedded store.
struct Embedded(TempDir);

impl Embedded {
    fn open(&self) -> Arc<dyn JobStore> {
        Arc::new(SqliteStore::open(&self.0.path().join("jobs.db")).unwrap())
    }
}

#[async_trait::async_trait]
impl Fixture for Embedded {
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Arc<dyn JobStore> {
        self.open()
    }

    async fn opened_again(&self) -> Arc<dyn JobStore> {
        self.open()
    }
}

#[test]
fn random_strings_of_calls_do_the_same_to_both_stores() {
    if !skipped::<Place>() {
        twins::check::<Embedded, Place>(24);
    }
}
