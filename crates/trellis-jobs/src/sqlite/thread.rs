//! A thread that owns one SQLite connection and does what it is told, in order.
//!
//! Waiting calls share a transaction: each runs in a savepoint of its own, so one that fails leaves the
//! others alone, and one flush to disk serves all of them. Nobody is answered before the commit.
//!
//! Not every call needs the flush ([`Durability`]). In the write-ahead log a commit without one is seen by every
//! reader and survives the death of the process; a power cut may take it, and never one before it or a half of it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use super::error::SqliteFailure;
use super::open_error::OpenError;
use crate::StoreError;

/// As many calls share a transaction at most, so that the first is not kept waiting for long.
const BATCH: usize = 64;
/// How often another process's commits are looked for.
const OTHERS_EVERY: Duration = Duration::from_millis(500);

/// A commit that is to be flushed soon waits this long for others to flush it.
const SOON: Duration = Duration::from_secs(1);

/// What is done once it is known whether the transaction was committed.
type Answer = Box<dyn FnOnce(Result<(), SqliteFailure>) + Send>;

/// A call that ran, or one that could not because no transaction began.
struct Ran {
    answer: Answer,
    /// Why SQLite ended the transaction of its own accord, if it did.
    broke: Option<SqliteFailure>,
}

type Call = Box<dyn FnOnce(Result<&Connection, SqliteFailure>) -> Ran + Send>;

/// Whether a power cut may take what a call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// It may: it only says how far a job was, which then runs again.
    Whenever,
    /// It may for a second, until the next commit is flushed: a job is claimed anew then. Later it is not forgotten, so
    /// that a job that takes the machine down with it is not tried for ever.
    Soon,
    /// Never: somebody was told of it.
    Now,
}

/// A call with what is to be done about it.
struct Waiting {
    durability: Durability,
    call: Call,
}

/// The way to the thread. The thread ends when this is dropped.
#[derive(Debug, Clone)]
pub(super) struct Database {
    calls: Sender<Waiting>,
}

impl Database {
    /// Starts the thread. With `changes` it announces commits of other processes.
    pub(super) fn start(
        name: &str,
        connection: Connection,
        behaviour: TransactionBehavior,
        changes: Option<watch::Sender<u64>>,
    ) -> Result<Self, OpenError> {
        let (calls, inbox) = channel();
        let worker = Worker {
            connection,
            behaviour,
            changes,
            flushes: true,
            unflushed: None,
        };
        // Read here and not on the thread: whatever others commit after the store is open is announced.
        let seen = worker.others();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || worker.run(&inbox, seen))
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Self { calls })
    }

    /// Runs `call` in a transaction and answers once it is committed and on disk. A caller that stops waiting
    /// changes nothing: the call is done all the same.
    pub(super) async fn call<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.call_with(Durability::Now, call).await
    }

    /// The same, on disk when `durability` says.
    pub(super) async fn call_with<T, F>(&self, durability: Durability, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call: Call = Box::new(move |connection| {
            let (done, broke) = match connection {
                Ok(connection) => in_savepoint(connection, call),
                Err(failure) => (Err(failure.into()), None),
            };
            let answer: Answer = Box::new(move |committed| {
                let result = done.and_then(|value| committed.map(|()| value).map_err(StoreError::from));
                // The caller may have gone; that is its right.
                let _ = answer.send(result);
            });
            Ran { answer, broke }
        });
        let gone = || StoreError::Unavailable {
            source: "the database's thread has ended".into(),
        };
        let waiting = Waiting { durability, call };
        self.calls.send(waiting).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    call: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> (Result<T, StoreError>, Option<SqliteFailure>) {
    let mut done = execute(connection, "SAVEPOINT one_call");
    let mut result = match done {
        Ok(()) => call(connection),
        Err(error) => return (Err(error), None),
    };
    // A full disk ends the whole transaction by itself, and the savepoint with it.
    if connection.is_autocommit() {
        let broke = result.as_ref().err().and_then(said_by_sqlite);
        return (result, broke.or_else(|| Some(SqliteFailure::rolled_back())));
    }
    if result.is_err() {
        done = execute(connection, "ROLLBACK TO one_call");
    }
    done = done.and_then(|()| execute(connection, "RELEASE one_call"));
    if let (Ok(_), Err(error)) = (&result, done) {
        result = Err(error);
    }
    (result, None)
}

/// A statement that is made for each call, and planned once.
fn execute(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

fn said_by_sqlite(error: &StoreError) -> Option<SqliteFailure> {
    match error {
        StoreError::Full { source } | StoreError::Corrupt { source } | StoreError::Unavailable { source } => {
            source.downcast_ref().cloned()
        }
        _ => None,
    }
}

struct Worker {
    connection: Connection,
    behaviour: TransactionBehavior,
    changes: Option<watch::Sender<u64>>,
    /// Whether SQLite flushes commits as it is set now.
    flushes: bool,
    /// Since when there is a commit that is to be flushed soon.
    unflushed: Option<Instant>,
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Waiting>, mut seen: Option<i64>) {
        loop {
            let first = if self.changes.is_some() {
                match inbox.recv_timeout(OTHERS_EVERY) {
                    Ok(first) => first,
                    Err(RecvTimeoutError::Timeout) => {
                        let now = self.others();
                        if now != seen {
                            seen = now;
                            self.announce();
                        }
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else {
                match inbox.recv() {
                    Ok(first) => first,
                    Err(_) => return,
                }
            };
            let mut batch = std::iter::once(first)
                .chain(inbox.try_iter().take(BATCH - 1))
                .collect::<VecDeque<_>>();
            while !batch.is_empty() {
                self.commit(&mut batch);
            }
        }
    }

    /// SQLite's counter of commits by other connections.
    fn others(&self) -> Option<i64> {
        self.connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .ok()
    }

    fn announce(&self) {
        if let Some(changes) = &self.changes {
            changes.send_modify(|version| *version = version.wrapping_add(1));
        }
    }

    /// Begins a transaction, whose commit SQLite flushes where a call needs that or an earlier one has waited long
    /// enough.
    fn begin(&mut self, durability: Durability) -> Result<Transaction<'_>, SqliteFailure> {
        let flush = is_due(durability, self.unflushed.map(|since| since.elapsed()));
        if flush != self.flushes {
            let level = if flush { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.flushes = flush;
        }
        Ok(self.connection.transaction_with_behavior(self.behaviour)?)
    }

    /// Runs calls from the front in one transaction, until all ran or SQLite broke it off.
    fn commit(&mut self, batch: &mut VecDeque<Waiting>) {
        let mut answers = Vec::with_capacity(batch.len());
        let mut wrote = false;
        let mut broke = None;
        let durability = batch.iter().map(|waiting| waiting.durability).max();
        let durability = durability.unwrap_or(Durability::Now);
        let committed = match self.begin(durability) {
            Err(failure) => {
                let calls = batch.drain(..).map(|waiting| waiting.call);
                answers.extend(calls.map(|call| call(Err(failure.clone())).answer));
                Err(failure)
            }
            Ok(transaction) => {
                while broke.is_none()
                    && let Some(waiting) = batch.pop_front()
                {
                    let before = transaction.total_changes();
                    let ran = (waiting.call)(Ok(&transaction));
                    answers.push(ran.answer);
                    broke = ran.broke;
                    wrote |= transaction.total_changes() != before;
                }
                match broke {
                    Some(failure) => Err(failure),
                    None => transaction.commit().map_err(SqliteFailure::from),
                }
            }
        };
        // A transaction that wrote nothing is not flushed, and neither are those before it.
        if committed.is_ok() && wrote {
            if self.flushes {
                self.unflushed = None;
            } else if durability == Durability::Soon {
                self.unflushed.get_or_insert_with(Instant::now);
            }
        }
        for answer in answers {
            answer(committed.clone());
        }
    }
}

/// Whether a commit is flushed: for its own sake, or because one before it has waited that long.
fn is_due(durability: Durability, waited: Option<Duration>) -> bool {
    durability == Durability::Now || waited.is_some_and(|waited| waited >= SOON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_flushed_where_somebody_was_told_of_it_or_one_has_waited() {
        use Durability::{Now, Soon, Whenever};
        for (durability, waited_ms, flushed) in [
            (Now, None, true),
            (Soon, None, false),
            (Whenever, None, false),
            (Soon, Some(999), false),
            (Whenever, Some(999), false),
            (Whenever, Some(1000), true),
            (Soon, Some(1000), true),
        ] {
            let waited = waited_ms.map(Duration::from_millis);
            assert_eq!(
                is_due(durability, waited),
                flushed,
                "{durability:?} {waited_ms:?}"
            );
        }
    }

    /// What SQLite is told: 1 is NORMAL, which flushes the log before a checkpoint only; 2 is FULL.
    #[tokio::test]
    async fn sqlite_flushes_what_is_to_be_flushed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER)").unwrap();
        let behaviour = TransactionBehavior::Immediate;
        let database = Database::start("test", connection, behaviour, None).unwrap();
        for (durability, level) in [
            (Durability::Whenever, 1),
            (Durability::Soon, 1),
            (Durability::Now, 2),
            (Durability::Whenever, 1),
        ] {
            let found = database.call_with(durability, |db| {
                db.execute("INSERT INTO t VALUES (1)", [])?;
                Ok(db.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
            });
            assert_eq!(found.await.unwrap(), level, "{durability:?}");
        }
    }
}
