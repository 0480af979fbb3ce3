//! The embedded job store: one SQLite file, shared by any number of processes on one host.
//!
//! One connection writes and one reads, each on a thread of its own (`thread.rs`); what is written is decided by
//! the crate's rules. Not for network file systems: SQLite's write-ahead log needs shared memory.

mod claim;
mod error;
mod memos;
mod names;
mod open_error;
mod outbox;
mod query;
mod reserve;
mod restore;
mod rows;
mod schema;
mod thread;
mod waiting;
mod whole;
mod write;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::watch;
use tracing::error;
use trellis_core::{JobEvent, JobId};

pub use error::SqliteFailure;
pub use open_error::OpenError;
use reserve::Reserve;
use thread::{Database, Durability};
use write::Written;

use crate::docket::Docket;
use crate::folders::create_durably;
use crate::rules::Command;
use crate::wakes::Wakes;
use crate::{
    Applied, CacheKey, Changes, Claim, ClaimFilter, Delivery, Gives, JobQuery, JobStore, KeptLatents, NewJob,
    NextDelivery, Owner, Page, Settled, StoreError, StoreStats, StoredJob, Submitted, Takes,
    WaitingDeliveries, WaitingKind, WholeJob, WorkerName,
};

/// The embedded job store. Clones share it.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Database,
    reader: Database,
    wakes: Arc<Wakes>,
    /// What was said of the damage that was found since the start.
    damage: Arc<OnceLock<String>>,
    reserve: Arc<Reserve>,
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
        let reserve = Reserve::new(path);
        let writer = match schema::open_writer(path) {
            Err(StoreError::Full { .. }) => {
                reserve.give_up();
                schema::open_writer(path)?
            }
            opened => opened?,
        };
        reserve.refill();
        let reader = schema::open_reader(path)?;
        let (announce, elsewhere) = watch::channel(0);
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
            wakes: Wakes::new(elsewhere),
            damage: Arc::default(),
            reserve: Arc::new(reserve),
        })
    }

    /// Lists a job as its docket says, unless there is one of its name.
    pub(crate) async fn restore(&self, docket: Docket) -> Result<bool, StoreError> {
        self.write(Durability::Now, move |db| {
            restore::restore(db, &docket).map(|restored| (restored, None))
        })
        .await
    }

    /// Writes; those who wait for what changed are woken after the commit.
    async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        call: impl FnOnce(&Connection) -> Written<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let wakes = self.wakes.clone();
        let call = move |db: &Connection| {
            let (value, wake) = call(db)?;
            Ok((value, wakes.when_dropped(wake)))
        };
        let (value, _woken) = self.noted(self.writer.call_with(durability, call).await)?;
        self.refill();
        Ok(value)
    }

    async fn read<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.refill();
        self.noted(self.reader.call(call).await)
    }

    /// Remembers damage, whatever call it was that found it.
    fn noted<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Corrupt { source }) = &done
            && self.damage.set(source.to_string()).is_ok()
        {
            error!(
                cause = source.as_ref() as &dyn std::error::Error,
                "the job database is damaged: jobs are neither accepted nor begun until the server is started with a sound one"
            );
        }
        done
    }

    /// Makes the reserve again once there is room, with nobody waiting for it.
    fn refill(&self) {
        if self.reserve.is_due() {
            let reserve = self.reserve.clone();
            drop(tokio::task::spawn_blocking(move || reserve.refill()));
        }
    }

    /// Makes room for a few changes on a full disk.
    async fn make_room(&self) {
        let reserve = self.reserve.clone();
        // A panic has left the disk as full as it was.
        let _ = tokio::task::spawn_blocking(move || reserve.make_room()).await;
    }
}

/// Whether a power cut may take what a command did. What a job's end or a client hangs on is never taken.
fn durability(command: &Command) -> Durability {
    match command {
        Command::Heartbeat { .. } | Command::Progress { .. } | Command::Preview { .. } => {
            Durability::Whenever
        }
        Command::Claim { .. } => Durability::Soon,
        Command::Succeed { .. }
        | Command::Fail { .. }
        | Command::Release { .. }
        | Command::GiveUp { .. }
        | Command::Lapse { .. }
        | Command::Cancel { .. }
        | Command::CancelOrDelete { .. }
        | Command::Edit { .. }
        | Command::Delete => Durability::Now,
    }
}

#[async_trait::async_trait]
impl Gives for SqliteStore {
    async fn wholes(&self, after: i64, limit: u32) -> Result<Vec<(i64, WholeJob)>, StoreError> {
        self.read(move |db| whole::wholes(db, after, limit)).await
    }
}

#[async_trait::async_trait]
impl Takes for SqliteStore {
    async fn take(&self, job: &WholeJob) -> Result<bool, StoreError> {
        let job = job.clone();
        self.write(Durability::Now, move |db| {
            whole::take(db, &job).map(|taken| (taken, None))
        })
        .await
    }
}

#[async_trait::async_trait]
impl JobStore for SqliteStore {
    fn sound(&self) -> Result<(), StoreError> {
        match self.damage.get() {
            None => Ok(()),
            Some(said) => Err(StoreError::Corrupt {
                source: said.as_str().into(),
            }),
        }
    }

    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError> {
        self.sound()?;
        self.write(Durability::Now, move |db| write::submit(db, &new))
            .await
    }

    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        if self.sound().is_err() {
            return Ok(None);
        }
        let (worker, filter) = (worker.clone(), filter.clone());
        self.write(Durability::Soon, move |db| {
            write::claim(db, &worker, &filter, now, lease)
        })
        .await
    }

    async fn apply(&self, id: JobId, now: Timestamp, command: Command) -> Result<Applied, StoreError> {
        let durability = durability(&command);
        let again = command.clone();
        let done = self
            .write(durability, move |db| write::apply(db, id, now, command))
            .await;
        match done {
            // What ends, cancels or deletes a job may have what was reserved.
            Err(StoreError::Full { .. }) if durability == Durability::Now => {
                self.make_room().await;
                self.write(durability, move |db| write::apply(db, id, now, again))
                    .await
            }
            done => done,
        }
    }

    async fn lapsed(
        &self,
        now: Timestamp,
        held_by: Option<&WorkerName>,
    ) -> Result<Vec<(JobId, WorkerName)>, StoreError> {
        let held_by = held_by.cloned();
        self.read(move |db| query::lapsed(db, now, held_by.as_ref()))
            .await
    }

    async fn find(&self, id: JobId) -> Result<StoredJob, StoreError> {
        self.read(move |db| rows::stored(db, id)).await
    }

    async fn list(&self, query: JobQuery) -> Result<Page, StoreError> {
        self.read(move |db| query::list(db, &query)).await
    }

    async fn events(&self, job: Option<JobId>, after: u64, limit: u32) -> Result<Vec<JobEvent>, StoreError> {
        self.read(move |db| query::events(db, job, after, limit)).await
    }

    async fn cached(&self, owner: &Owner, key: &CacheKey, limit: u32) -> Result<Vec<StoredJob>, StoreError> {
        let (owner, key) = (owner.clone(), key.clone());
        self.read(move |db| query::cached(db, &owner, &key, limit)).await
    }

    async fn without_preview(&self, filter: &ClaimFilter, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let filter = filter.clone();
        self.read(move |db| query::without_preview(db, &filter, limit))
            .await
    }

    async fn waiting(&self) -> Result<Vec<WaitingKind>, StoreError> {
        self.read(waiting::kinds).await
    }

    async fn waiting_of(
        &self,
        kind: &WaitingKind,
        accepted_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        let kind = kind.clone();
        self.read(move |db| waiting::of_kind(db, &kind, accepted_before, limit))
            .await
    }

    async fn waits_as(&self, jobs: &[JobId]) -> Result<Vec<(JobId, WaitingKind)>, StoreError> {
        let jobs = jobs.to_vec();
        self.read(move |db| waiting::kinds_of(db, &jobs)).await
    }

    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.read(move |db| query::expired(db, keep_jobs, ended_before, limit))
            .await
    }

    async fn with_latents(&self) -> Result<Vec<KeptLatents>, StoreError> {
        self.read(names::with_latents).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.read(query::stats).await
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.read(move |db| memos::memo(db, &name)).await
    }

    async fn keep_memo(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(Durability::Now, move |db| {
            memos::keep_memo(db, &name, &value).map(|()| ((), None))
        })
        .await
    }

    async fn newest(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(memos::newest).await
    }

    async fn deleted(&self) -> Result<Vec<JobId>, StoreError> {
        self.read(memos::deleted).await
    }

    async fn forget_deleted(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let jobs = jobs.to_vec();
        self.write(Durability::Whenever, move |db| {
            memos::forget_deleted(db, &jobs).map(|()| ((), None))
        })
        .await
    }

    fn subscribe(&self, job: JobId) -> Changes {
        self.wakes.of_job(job)
    }

    fn arrivals(&self) -> Changes {
        self.wakes.of_queue()
    }

    async fn claim_delivery(
        &self,
        now: Timestamp,
        lease: Duration,
        passed_over: &[String],
    ) -> Result<NextDelivery, StoreError> {
        let passed_over = passed_over.to_vec();
        // What a power cut takes of a delivery's fate has it sent once more.
        self.write(Durability::Whenever, move |db| {
            outbox::claim(db, now, lease, &passed_over).map(|next| (next, None))
        })
        .await
    }

    async fn settle_delivery(&self, delivery: &Delivery, settled: Settled) -> Result<(), StoreError> {
        let delivery = delivery.clone();
        self.write(Durability::Whenever, move |db| {
            outbox::settle(db, &delivery, settled).map(|()| ((), None))
        })
        .await
    }

    async fn waiting_deliveries(&self) -> Result<WaitingDeliveries, StoreError> {
        self.read(outbox::waiting).await
    }

    fn deliveries(&self) -> Changes {
        self.wakes.of_deliveries()
    }
}
