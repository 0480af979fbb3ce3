//! The store: each call of [`JobStore`] as a read or a change of the database.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use trellis_core::{JobEvent, JobId};
use trellis_jobs::rules::Command;
use trellis_jobs::{
    Applied, CacheKey, Changes, Claim, ClaimFilter, Delivery, Gives, JobQuery, JobStore, KeptLatents, NewJob,
    NextDelivery, Owner, Page, Settled, StoreError, StoreStats, StoredJob, Submitted, Takes,
    WaitingDeliveries, WaitingKind, Wakes, WholeJob, WorkerName,
};

use uuid::Uuid;

use crate::clock::Ahead;
use crate::herald::Herald;
use crate::session::{self, Change, Durability, Session, Written};
use crate::{Address, Clock, OpenError, lists, memos, outbox, pool, rows, schema, take, tls, waiting, write};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the database is.
    pub address: Address,
    /// The password of the address's user, where it needs one.
    pub password: Option<String>,
    /// Which clock counts.
    pub clock: Clock,
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    clock: Clock,
    ahead: Arc<Ahead>,
    wakes: Arc<Wakes>,
    herald: Arc<Herald>,
}

impl PostgresStore {
    /// Connects to the database and brings its schema up to date.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let unusable = |error: OpenError| StoreError::Unavailable {
            source: Box::new(error),
        };
        let address = &settings.address;
        let config = pool::config(address, settings.password.as_deref());
        let pool = pool::pool(config.clone(), address).map_err(unusable)?;
        let migrate: &Change<()> =
            &|session, _| async { Ok((schema::migrate(session).await?, None)) }.boxed();
        session::write(&pool, settings.clock, Durability::Now, migrate).await?;
        let tls = tls::connector(address).map_err(unusable)?;
        let (herald, wakes) = Herald::start(config, tls).await?;
        let store = Self {
            pool,
            clock: settings.clock,
            ahead: Arc::default(),
            wakes,
            herald: Arc::new(herald),
        };
        store.look_at_the_clock().await?;
        Ok(store)
    }

    /// Compares the clocks.
    async fn look_at_the_clock(&self) -> Result<(), StoreError> {
        if self.clock == Clock::Callers {
            return Ok(());
        }
        let there = self
            .read(|session| session.now(Timestamp::UNIX_EPOCH).boxed())
            .await?;
        self.ahead.note(there, Timestamp::now());
        Ok(())
    }

    pub(crate) async fn read<T>(
        &self,
        call: impl for<'s> Fn(&'s Session) -> BoxFuture<'s, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        session::read(&self.pool, self.clock, call).await
    }

    /// Changes; those who wait for what changed are woken after the commit. It is done, and they are woken, also where
    /// whoever asked for it has gone.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        change: impl for<'s> Fn(&'s Session, bool) -> BoxFuture<'s, Written<T>> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let Self {
            pool,
            clock,
            wakes,
            herald,
            ..
        } = self.clone();
        let written = tokio::spawn(async move {
            let (value, wake) = session::write(&pool, clock, durability, &change).await?;
            if let Some(wake) = wake {
                drop(wakes.when_dropped(Some(wake)));
                herald.tell(wake);
            }
            Ok(value)
        });
        written.await.unwrap_or_else(|ended| {
            Err(StoreError::Unavailable {
                source: Box::new(ended),
            })
        })
    }
}

#[async_trait::async_trait]
impl Gives for PostgresStore {
    async fn wholes(&self, after: i64, limit: u32) -> Result<Vec<(i64, WholeJob)>, StoreError> {
        self.read(move |session| take::wholes(session, after, limit).boxed())
            .await
    }
}

#[async_trait::async_trait]
impl Takes for PostgresStore {
    async fn take(&self, job: &WholeJob) -> Result<bool, StoreError> {
        let job = Arc::new(job.clone());
        self.write(Durability::Now, move |session, _| {
            let job = job.clone();
            async move { Ok((take::take(session, &job).await?, None)) }.boxed()
        })
        .await
    }
}

/// Whether a crash may take what a command did.
fn durability(command: &Command) -> Durability {
    match command {
        Command::Heartbeat { .. } => Durability::Whenever,
        _ => Durability::Now,
    }
}

#[async_trait::async_trait]
impl JobStore for PostgresStore {
    async fn submit(&self, new: NewJob) -> Result<Submitted, StoreError> {
        let new = Arc::new(new);
        self.write(Durability::Now, move |session, again| {
            let new = new.clone();
            async move { write::submit(session, &new, again).await }.boxed()
        })
        .await
    }

    async fn claim(
        &self,
        worker: &WorkerName,
        filter: &ClaimFilter,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let asked = Arc::new((worker.clone(), filter.clone()));
        self.write(Durability::Now, move |session, _| {
            let asked = asked.clone();
            async move { write::claim(session, &asked.0, &asked.1, now, lease).await }.boxed()
        })
        .await
    }

    async fn apply(&self, id: JobId, now: Timestamp, command: Command) -> Result<Applied, StoreError> {
        let durability = durability(&command);
        let command = Arc::new(command);
        self.write(durability, move |session, again| {
            let command = command.clone();
            async move { write::apply(session, id, now, &command, again).await }.boxed()
        })
        .await
    }

    async fn lapsed(
        &self,
        now: Timestamp,
        held_by: Option<&WorkerName>,
    ) -> Result<Vec<(JobId, WorkerName)>, StoreError> {
        let held_by = held_by.cloned();
        self.read(|session| {
            let held_by = held_by.clone();
            async move { lists::lapsed(session, now, held_by.as_ref()).await }.boxed()
        })
        .await
    }

    async fn find(&self, id: JobId) -> Result<StoredJob, StoreError> {
        self.read(|session| rows::stored(session, id).boxed()).await
    }

    async fn list(&self, query: JobQuery) -> Result<Page, StoreError> {
        let query = Arc::new(query);
        self.read(|session| {
            let query = query.clone();
            async move { lists::list(session, &query).await }.boxed()
        })
        .await
    }

    async fn events(&self, job: Option<JobId>, after: u64, limit: u32) -> Result<Vec<JobEvent>, StoreError> {
        self.read(|session| lists::events(session, job, after, limit).boxed())
            .await
    }

    async fn cached(&self, owner: &Owner, key: &CacheKey, limit: u32) -> Result<Vec<StoredJob>, StoreError> {
        let asked = Arc::new((owner.clone(), key.clone()));
        self.read(|session| {
            let asked = asked.clone();
            async move { lists::cached(session, &asked.0, &asked.1, limit).await }.boxed()
        })
        .await
    }

    async fn without_preview(&self, filter: &ClaimFilter, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let filter = Arc::new(filter.clone());
        self.read(|session| {
            let filter = filter.clone();
            async move { lists::without_preview(session, &filter, limit).await }.boxed()
        })
        .await
    }

    async fn waiting(&self) -> Result<Vec<WaitingKind>, StoreError> {
        self.read(|session| waiting::kinds(session).boxed()).await
    }

    async fn waiting_of(
        &self,
        kind: &WaitingKind,
        accepted_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        let kind = Arc::new(kind.clone());
        self.read(|session| {
            let kind = kind.clone();
            async move { waiting::of_kind(session, &kind, accepted_before, limit).await }.boxed()
        })
        .await
    }

    async fn waits_as(&self, jobs: &[JobId]) -> Result<Vec<(JobId, WaitingKind)>, StoreError> {
        let jobs: Arc<[Uuid]> = jobs.iter().copied().map(Uuid::from).collect();
        self.read(|session| {
            let jobs = jobs.clone();
            async move { waiting::kinds_of(session, &jobs).await }.boxed()
        })
        .await
    }

    async fn expired(
        &self,
        keep_jobs: Option<u64>,
        ended_before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.read(|session| lists::expired(session, keep_jobs, ended_before, limit).boxed())
            .await
    }

    async fn with_latents(&self) -> Result<Vec<KeptLatents>, StoreError> {
        self.read(|session| lists::with_latents(session).boxed()).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.read(|session| lists::stats(session).boxed()).await
    }

    async fn memo(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name: Arc<str> = name.into();
        self.read(|session| {
            let name = name.clone();
            async move { memos::memo(session, &name).await }.boxed()
        })
        .await
    }

    async fn keep_memo(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let memo: Arc<(String, String)> = Arc::new((name.to_owned(), value.to_owned()));
        self.write(Durability::Now, move |session, _| {
            let memo = memo.clone();
            async move { Ok((memos::keep_memo(session, &memo.0, &memo.1).await?, None)) }.boxed()
        })
        .await
    }

    async fn newest(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|session| memos::newest(session).boxed()).await
    }

    async fn deleted(&self) -> Result<Vec<JobId>, StoreError> {
        self.read(|session| memos::deleted(session).boxed()).await
    }

    async fn forget_deleted(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let jobs: Arc<[JobId]> = jobs.into();
        self.write(Durability::Whenever, move |session, _| {
            let jobs = jobs.clone();
            async move { Ok((memos::forget_deleted(session, &jobs).await?, None)) }.boxed()
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
        let passed_over: Arc<[String]> = passed_over.into();
        // What a crash takes of a delivery's fate has it sent once more.
        let next = self
            .write(Durability::Whenever, move |session, _| {
                let passed_over = passed_over.clone();
                async move { Ok((outbox::claim(session, now, lease, &passed_over).await?, None)) }.boxed()
            })
            .await?;
        Ok(match next {
            NextDelivery::At(due) => {
                self.look_at_the_clock().await?;
                NextDelivery::At(self.ahead.here(due))
            }
            next => next,
        })
    }

    async fn settle_delivery(&self, delivery: &Delivery, settled: Settled) -> Result<(), StoreError> {
        let settled = match settled {
            Settled::Again { at, problem } => Settled::Again {
                at: self.ahead.there(at),
                problem,
            },
            settled => settled,
        };
        let fate = Arc::new((delivery.clone(), settled));
        self.write(Durability::Whenever, move |session, _| {
            let fate = fate.clone();
            async move { Ok((outbox::settle(session, &fate.0, &fate.1).await?, None)) }.boxed()
        })
        .await
    }

    async fn waiting_deliveries(&self) -> Result<WaitingDeliveries, StoreError> {
        self.read(|session| outbox::waiting(session).boxed()).await
    }

    fn deliveries(&self) -> Changes {
        self.wakes.of_deliveries()
    }
}
