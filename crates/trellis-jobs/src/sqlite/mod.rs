//! The embedded job store: one SQLite file, shared by any number of processes on one host.
//!
//! One connection writes and one reads, each on a thread of its own (`thread.rs`); the rules are in
//! `changes.rs`. Not for network file systems: SQLite's write-ahead log needs shared memory.

mod attempt;
mod cache;
mod changes;
mod error;
mod lifecycle;
mod query;
mod rows;
mod schema;
mod submit;
mod thread;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::TransactionBehavior;
use tokio::sync::watch;
use trellis_core::{Failure, Input, Job, JobEvent, JobId, Progress};

pub use error::{OpenError, SqliteFailure};
use thread::{Announce, Database, Durability};

use crate::folders::create_durably;
use crate::{
    BlobKey, Claim, ClaimFilter, Delivered, DeliveredStatement, Heartbeat, JobQuery, JobStore, Lease, NewJob,
    Outcome, Page, Recovered, StoreError, StoreStats, Submitted, WorkerName,
};

/// The embedded job store. Clones share it.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Database,
    reader: Database,
    changes: watch::Receiver<u64>,
}

impl SqliteStore {
    /// Opens the database file, creates it where there is none, checks it for damage and brings its
    /// schema up to date. Blocks meanwhile: some milliseconds, more where many jobs are kept.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        create_durably(path.parent().unwrap_or(Path::new(""))).map_err(|source| {
            let source = Box::new(OpenError::Folder {
                path: path.to_owned(),
                source,
            });
            StoreError::Unavailable { source }
        })?;
        let writer = schema::open_writer(path)?;
        let reader = schema::open_reader(path)?;
        let (announce, changes) = watch::channel(0);
        let thread = |error| StoreError::Unavailable {
            source: Box::new(error),
        };
        Ok(Self {
            writer: Database::start(
                "jobs-writer",
                writer,
                TransactionBehavior::Immediate,
                Some(announce),
            )
            .map_err(thread)?,
            reader: Database::start("jobs-reader", reader, TransactionBehavior::Deferred, None)
                .map_err(thread)?,
            changes,
        })
    }
}

#[async_trait::async_trait]
impl JobStore for SqliteStore {
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError> {
        self.writer
            .call(Announce::Yes, move |db| submit::submit(db, &new))
            .await
    }

    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let (worker, filter) = (worker.clone(), filter.clone());
        self.writer
            .call_with(Announce::Yes, Durability::Soon, move |db| {
                attempt::claim(db, &worker, &filter, now, lease)
            })
            .await
    }

    async fn heartbeat(
        &self,
        lease: &Lease,
        now: Timestamp,
        extend: Duration,
    ) -> Result<Heartbeat, StoreError> {
        let lease = lease.clone();
        self.writer
            .call_with(Announce::No, Durability::Whenever, move |db| {
                attempt::heartbeat(db, &lease, now, extend)
            })
            .await
    }

    async fn progress(&self, lease: &Lease, now: Timestamp, progress: Progress) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.writer
            .call_with(Announce::Yes, Durability::Whenever, move |db| {
                attempt::progress(db, &lease, now, progress)
            })
            .await
    }

    async fn preview(&self, id: JobId, now: Timestamp, file: Delivered) -> Result<(), StoreError> {
        self.writer
            .call_with(Announce::Yes, Durability::Whenever, move |db| {
                lifecycle::preview(db, id, now, &file)
            })
            .await
    }

    async fn without_preview(&self, filter: &ClaimFilter, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let filter = filter.clone();
        self.reader
            .call(Announce::No, move |db| query::without_preview(db, &filter, limit))
            .await
    }

    async fn succeed(&self, lease: &Lease, now: Timestamp, outcome: Outcome) -> Result<Job, StoreError> {
        let lease = lease.clone();
        self.writer
            .call(Announce::Yes, move |db| {
                attempt::succeed(db, &lease, now, &outcome)
            })
            .await
    }

    async fn fail(&self, lease: &Lease, now: Timestamp, failure: Failure) -> Result<Job, StoreError> {
        let lease = lease.clone();
        self.writer
            .call(Announce::Yes, move |db| attempt::fail(db, &lease, now, &failure))
            .await
    }

    async fn release(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.writer
            .call(Announce::Yes, move |db| attempt::release(db, &lease, now))
            .await
    }

    async fn cancel(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        self.writer
            .call(Announce::Yes, move |db| lifecycle::cancel(db, id, now))
            .await
    }

    async fn delete(&self, id: JobId) -> Result<Vec<BlobKey>, StoreError> {
        self.writer
            .call(Announce::Yes, move |db| lifecycle::delete(db, id))
            .await
    }

    async fn recover(
        &self,
        now: Timestamp,
        max_attempts: u32,
        held_by: Option<&WorkerName>,
    ) -> Result<Recovered, StoreError> {
        let held_by = held_by.cloned();
        self.writer
            .call(Announce::Yes, move |db| {
                lifecycle::recover(db, now, max_attempts, held_by.as_ref())
            })
            .await
    }

    async fn get(&self, id: JobId) -> Result<Job, StoreError> {
        self.reader.call(Announce::No, move |db| rows::job(db, id)).await
    }

    async fn input_key(&self, id: JobId, index: u32) -> Result<Option<(Input, BlobKey)>, StoreError> {
        self.reader
            .call(Announce::No, move |db| query::input_key(db, id, index))
            .await
    }

    async fn artifact_key(&self, id: JobId, name: &str) -> Result<Option<Delivered>, StoreError> {
        let name = name.to_owned();
        self.reader
            .call(Announce::No, move |db| query::artifact_key(db, id, &name))
            .await
    }

    async fn statement_key(&self, id: JobId) -> Result<Option<DeliveredStatement>, StoreError> {
        self.reader
            .call(Announce::No, move |db| query::statement_key(db, id))
            .await
    }

    async fn list(&self, query: JobQuery) -> Result<Page, StoreError> {
        self.reader
            .call(Announce::No, move |db| query::list(db, &query))
            .await
    }

    async fn events(&self, id: JobId, after: u64, limit: u32) -> Result<Vec<JobEvent>, StoreError> {
        self.reader
            .call(Announce::No, move |db| query::events(db, id, after, limit))
            .await
    }

    fn watch(&self) -> watch::Receiver<u64> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        changes
    }

    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.reader
            .call(Announce::No, move |db| {
                query::expired(db, keep_jobs, ended_before, limit)
            })
            .await
    }

    async fn knows(&self, id: JobId) -> Result<bool, StoreError> {
        self.reader
            .call(Announce::No, move |db| query::knows(db, id))
            .await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.reader.call(Announce::No, query::stats).await
    }
}
