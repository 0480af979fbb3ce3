//! One call's use of a connection: its statements, in a transaction where it changes something.
//!
//! A transaction that fails for a passing reason is run again, on another connection: a server of the database stopped or
//! another one took its place, or two calls were in each other's way. Where the connection broke at the commit nobody knows
//! whether it was done; the call is then run with `again` set, and looks.

use std::time::Duration;

use deadpool_postgres::{Client, Pool};
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Json, ToSql};
use tracing::debug;
use trellis_jobs::{StoreError, Undecided, Wake};

use crate::Clock;
use crate::error::{PostgresFailure, failed, may_pass, no_connection, odd, unavailable};

/// So long a call is run again before its caller is told.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A call that takes longer hangs: a standby that confirms nothing, a network that swallows.
const ONE_TRY: Duration = Duration::from_secs(20);

/// Values of a statement.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a change answers, and whom it wakes.
pub(crate) type Written<T> = Result<(T, Option<Wake>), StoreError>;

/// A change: run in a transaction, perhaps several times. `again`: an earlier run may have been committed.
pub(crate) type Change<T> =
    dyn for<'s> Fn(&'s Session, bool) -> BoxFuture<'s, Written<T>> + Send + Sync + 'static;

/// Whether a crash of the database may take what a call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It may: nobody was told of it, and the job or the delivery runs again.
    Whenever,
    /// Never, nor a change to a synchronous standby: somebody was told of it, or is by an event. Numbers of events would
    /// come back otherwise, and followers who saw the first would miss the second.
    Now,
}

/// A connection in use.
pub(crate) struct Session {
    /// Taken out where it may be used again.
    client: Option<Client>,
    clock: Clock,
}

impl Drop for Session {
    fn drop(&mut self) {
        // In the middle of a transaction, or broken: nobody else gets it.
        if let Some(client) = self.client.take() {
            drop(Client::take(client));
        }
    }
}

impl Session {
    pub(crate) async fn open(pool: &Pool, clock: Clock) -> Result<Self, StoreError> {
        let client = pool.get().await.map_err(|error| no_connection(&error))?;
        Ok(Self {
            client: Some(client),
            clock,
        })
    }

    /// Hands the connection back, to be used again.
    fn done(mut self) {
        self.client = None;
    }

    fn client(&self) -> Result<&Client, StoreError> {
        self.client.as_ref().ok_or_else(|| {
            unavailable(PostgresFailure::unreached(
                "the connection was given back".to_owned(),
            ))
        })
    }

    /// Statements without values.
    pub(crate) async fn batch(&self, statements: &str) -> Result<(), StoreError> {
        let done = self.client()?.batch_execute(statements).await;
        done.map_err(|error| failed(&error))
    }

    /// What a statement finds.
    pub(crate) async fn rows(&self, statement: &str, values: Values<'_>) -> Result<Vec<Found>, StoreError> {
        let client = self.client()?;
        let prepared = client.prepare_cached(statement).await;
        let prepared = prepared.map_err(|error| failed(&error))?;
        let rows = client.query(&prepared, values).await;
        let rows = rows.map_err(|error| failed(&error))?;
        Ok(rows.into_iter().map(Found).collect())
    }

    /// The one row, or none, that a statement finds.
    pub(crate) async fn row(&self, statement: &str, values: Values<'_>) -> Result<Option<Found>, StoreError> {
        Ok(self.rows(statement, values).await?.into_iter().next())
    }

    /// How many rows a statement changes.
    pub(crate) async fn execute(&self, statement: &str, values: Values<'_>) -> Result<u64, StoreError> {
        let client = self.client()?;
        let prepared = client.prepare_cached(statement).await;
        let prepared = prepared.map_err(|error| failed(&error))?;
        let done = client.execute(&prepared, values).await;
        done.map_err(|error| failed(&error))
    }

    /// What time it is, by the clock that counts.
    pub(crate) async fn now(&self, callers: Timestamp) -> Result<Timestamp, StoreError> {
        if self.clock == Clock::Callers {
            return Ok(callers);
        }
        let row = self
            .row(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now",
                &[],
            )
            .await?;
        row.map_or(Ok(callers), |row| row.time("now"))
    }
}

/// A row that was found.
pub(crate) struct Found(Row);

impl Found {
    pub(crate) fn get<'r, T: FromSql<'r>>(&'r self, column: &str) -> Result<T, StoreError> {
        self.0.try_get(column).map_err(odd)
    }

    /// A value kept as JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        Ok(self.get::<Json<T>>(column)?.0)
    }

    /// A value that may be missing.
    pub(crate) fn json_or_none<T: serde::de::DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        let value: Option<Json<T>> = self.get(column)?;
        Ok(value.map(|json| json.0))
    }

    /// A value kept by its name.
    pub(crate) fn parsed<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        self.get::<&str>(column)?.parse().map_err(odd)
    }

    /// A number that is never negative.
    pub(crate) fn number<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(
        &self,
        column: &str,
    ) -> Result<T, StoreError> {
        T::try_from(self.get::<i64>(column)?).map_err(odd)
    }

    /// A time.
    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.get(column)?).map_err(odd)
    }
}

/// Runs a call that changes nothing.
pub(crate) async fn read<T>(
    pool: &Pool,
    clock: Clock,
    call: impl for<'s> Fn(&'s Session) -> BoxFuture<'s, Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut pauses = Pauses::begin();
    loop {
        let done = within(async {
            let session = Session::open(pool, clock).await?;
            let read = call(&session).await;
            if read.as_ref().err().is_none_or(|error| !may_pass(error)) {
                session.done();
            }
            read
        });
        match done.await {
            Err(error) if may_pass(&error) => pauses.next(error).await?,
            done => return done,
        }
    }
}

/// Runs a change until it is committed or refused.
pub(crate) async fn write<T>(
    pool: &Pool,
    clock: Clock,
    durability: Durability,
    change: &Change<T>,
) -> Written<T> {
    let mut pauses = Pauses::begin();
    let mut again = false;
    loop {
        match within(once(pool, clock, durability, change, &mut again)).await {
            Err(error) if may_pass(&error) => {
                let waited = pauses.next(error).await;
                waited.map_err(|error| told(error, again))?;
            }
            done => return done.map_err(|error| told(error, again)),
        }
    }
}

/// What the caller is told of a failure. `again`: an earlier try may have been committed.
fn told(error: StoreError, again: bool) -> StoreError {
    match error {
        StoreError::Unavailable { source } if again => StoreError::Unavailable {
            source: Box::new(Undecided { source }),
        },
        error => error,
    }
}

async fn once<T>(
    pool: &Pool,
    clock: Clock,
    durability: Durability,
    change: &Change<T>,
    again: &mut bool,
) -> Written<T> {
    let session = Session::open(pool, clock).await?;
    session
        .batch(match durability {
            Durability::Whenever => "BEGIN; SET LOCAL synchronous_commit = off",
            Durability::Now => "BEGIN",
        })
        .await?;
    match change(&session, *again).await {
        Ok(done) => {
            // Also where this is given up while it waits.
            let before = std::mem::replace(again, true);
            session.batch("COMMIT").await.inspect_err(|error| {
                // The database says that it did not.
                *again = before || !is_said(error);
            })?;
            session.done();
            Ok(done)
        }
        Err(error) => {
            if session.batch("ROLLBACK").await.is_ok() {
                session.done();
            }
            Err(error)
        }
    }
}

/// Whether the database itself refused, rather than that its answer was lost.
fn is_said(error: &StoreError) -> bool {
    match error {
        // Also a shutdown in the middle of a commit leaves it open.
        StoreError::Unavailable { source } => source
            .downcast_ref::<PostgresFailure>()
            .is_some_and(|failure| !failure.ended),
        StoreError::Full { .. } | StoreError::Corrupt { .. } => true,
        _ => false,
    }
}

async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(ONE_TRY, call).await.unwrap_or_else(|_| {
        let seconds = ONE_TRY.as_secs();
        let message = format!("no answer within {seconds} seconds");
        Err(unavailable(PostgresFailure::unreached(message)))
    })
}

/// The pauses between tries of one call.
struct Pauses {
    begun: Instant,
    next: Duration,
}

impl Pauses {
    fn begin() -> Self {
        Self {
            begun: Instant::now(),
            next: FIRST_PAUSE,
        }
    }

    /// Waits a little longer each time, and gives up with what was said last.
    async fn next(&mut self, error: StoreError) -> Result<(), StoreError> {
        if self.begun.elapsed() >= PATIENCE {
            return Err(error);
        }
        debug!(
            error = &error as &dyn std::error::Error,
            "a call to the database is run again"
        );
        // Not all servers at once.
        tokio::time::sleep(self.next.mul_f64(rand::random_range(0.5..1.0))).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
