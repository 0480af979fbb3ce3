//! A thread that owns one SQLite connection and does what it is told, in order.
//!
//! Waiting calls share a transaction: each runs in a savepoint of its own, so one that fails leaves the
//! others alone, and one flush to disk serves all of them. Nobody is answered before the commit.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use super::error::{OpenError, SqliteFailure};
use crate::StoreError;

/// As many calls share a transaction at most, so that the first is not kept waiting for long.
const BATCH: usize = 64;
/// How often another process's commits are looked for.
const OTHERS_EVERY: Duration = Duration::from_millis(500);

/// What is done once it is known whether the transaction was committed.
type Answer = Box<dyn FnOnce(Result<(), SqliteFailure>) + Send>;

/// A call that ran, or one that could not because no transaction began.
struct Ran {
    answer: Answer,
    /// Why SQLite ended the transaction of its own accord, if it did.
    broke: Option<SqliteFailure>,
}

type Call = Box<dyn FnOnce(Result<&Connection, SqliteFailure>) -> Ran + Send>;

/// The way to the thread. The thread ends when this is dropped.
#[derive(Debug, Clone)]
pub(super) struct Database {
    calls: Sender<Call>,
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
        };
        // Read here and not on the thread: whatever others commit after the store is open is announced.
        let seen = worker.others();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || worker.run(&inbox, seen))
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Self { calls })
    }

    /// Runs `call` in a transaction and answers once it is committed. A caller that stops waiting
    /// changes nothing: the call is done all the same.
    pub(super) async fn call<T, F>(&self, call: F) -> Result<T, StoreError>
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
        self.calls.send(call).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    call: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> (Result<T, StoreError>, Option<SqliteFailure>) {
    let mut done = connection
        .execute_batch("SAVEPOINT one_call")
        .map_err(StoreError::from);
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
        done = connection
            .execute_batch("ROLLBACK TO one_call")
            .map_err(StoreError::from);
    }
    done = done.and_then(|()| Ok(connection.execute_batch("RELEASE one_call")?));
    if let (Ok(_), Err(error)) = (&result, done) {
        result = Err(error);
    }
    (result, None)
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
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Call>, mut seen: Option<i64>) {
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

    /// Runs calls from the front in one transaction, until all ran or SQLite broke it off.
    fn commit(&mut self, batch: &mut VecDeque<Call>) {
        let mut answers = Vec::with_capacity(batch.len());
        let mut broke = None;
        let committed = match self.connection.transaction_with_behavior(self.behaviour) {
            Err(error) => {
                let failure = SqliteFailure::from(error);
                answers.extend(batch.drain(..).map(|call| call(Err(failure.clone())).answer));
                Err(failure)
            }
            Ok(transaction) => {
                while broke.is_none()
                    && let Some(call) = batch.pop_front()
                {
                    let ran = call(Ok(&transaction));
                    answers.push(ran.answer);
                    broke = ran.broke;
                }
                match broke {
                    Some(failure) => Err(failure),
                    None => transaction.commit().map_err(SqliteFailure::from),
                }
            }
        };
        for answer in answers {
            answer(committed.clone());
        }
    }
}
