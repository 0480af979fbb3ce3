//! Opens a database file: settings, check for damage, schema.
//!
//! `user_version` counts the migrations that were run; each is a file in `migrations/`, run once, in order,
//! and never edited after a release.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::open_error::OpenError;
use crate::StoreError;

/// In the file's header, so that `file` and this program tell it from other databases: `TRLj`.
const APPLICATION_ID: i64 = 0x5452_4c6a;
const MIGRATIONS: [&str; 16] = [
    include_str!("migrations/0001_jobs.sql"),
    include_str!("migrations/0002_results.sql"),
    include_str!("migrations/0003_timings.sql"),
    include_str!("migrations/0004_owners.sql"),
    include_str!("migrations/0005_memos.sql"),
    include_str!("migrations/0006_spare.sql"),
    include_str!("migrations/0007_traces.sql"),
    include_str!("migrations/0008_names.sql"),
    include_str!("migrations/0009_turns.sql"),
    include_str!("migrations/0010_webhooks.sql"),
    include_str!("migrations/0011_lists.sql"),
    include_str!("migrations/0012_exports.sql"),
    include_str!("migrations/0013_counts.sql"),
    include_str!("migrations/0014_latents.sql"),
    include_str!("migrations/0015_needs.sql"),
    include_str!("migrations/0016_priorities.sql"),
];
/// More events than can be lost at a time, and so few that the numbers last for billions of starts.
const LOST_EVENTS: i64 = 1 << 20;
/// How long a process waits for another one's write.
const BUSY: Duration = Duration::from_secs(10);

/// Opens the connection that writes; creates and migrates the file.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    check_owner(path, &mut connection)?;
    enter_wal(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // macOS flushes its disk's own cache only when asked so; no effect elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // After a burst the log shrinks back to 16 MiB.
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    check_damage(path, &connection)?;
    migrate(path, &mut connection)?;
    skip_lost_events(&connection)?;
    Ok(connection)
}

/// A power cut may have taken events that clients have heard of already, such as progress: their numbers are not
/// given to others, or who asks for what came after them would miss those.
fn skip_lost_events(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'events'",
        [LOST_EVENTS],
    )?;
    Ok(())
}

/// So many bytes of the database are spare: pages for the events of some hundred jobs that are cancelled.
const SPARE_BYTES: u32 = 64 << 10;

/// Moves the log into the database, so that the next change is written at the log's start, over what stands there, and
/// gives up the spare pages, so that the database need not grow at the log's next end. One connection more, because this
/// is done outside of every transaction.
pub(super) fn begin_log_again(path: &Path) -> Result<(), StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Its row says how far it came, which the next change shows.
    connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    connection.execute("DELETE FROM spare", [])?;
    Ok(())
}

/// Has spare pages in the database, where there are none.
pub(super) fn keep_spare(path: &Path) -> Result<(), StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let kept = connection.execute(
        "INSERT INTO spare SELECT zeroblob(?1) WHERE NOT EXISTS (SELECT 1 FROM spare)",
        [SPARE_BYTES],
    )?;
    if kept > 0 {
        // Out of the log, so that the database has grown by them before there is no room to grow.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Opens the connection that reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    // One thread owns each connection, so SQLite needs no locks of its own.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Else SQLite makes a new plan whenever other values are bound, which takes longer than most of what is asked here.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Switches to the write-ahead log. SQLite does not wait for another process that does the same at this
/// moment, whatever its timeout says, so this does.
fn enter_wal(connection: &Connection) -> Result<(), StoreError> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && begun.elapsed() < BUSY =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            switched => return Ok(switched?),
        }
    }
}

fn number(connection: &Connection, pragma: &str) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}

fn unusable(error: OpenError) -> StoreError {
    StoreError::Unavailable {
        source: Box::new(error),
    }
}

fn check_owner(path: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    // Both from one moment: another process may be creating it.
    let moment = connection.transaction()?;
    let id = number(&moment, "application_id")?;
    let tables: i64 = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    moment.commit()?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) {
        return Ok(());
    }
    Err(unusable(OpenError::NotOurs {
        path: path.to_owned(),
    }))
}

fn check_damage(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    // Ten lines tell the kind of damage; a badly damaged file has thousands.
    let mut statement = connection.prepare("PRAGMA quick_check(10)")?;
    let lines = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    if lines == ["ok"] {
        return Ok(());
    }
    let damaged = OpenError::Damaged {
        path: path.to_owned(),
        report: lines.join("; "),
    };
    Err(StoreError::Corrupt {
        source: Box::new(damaged),
    })
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    // A migration that puts a new table in the place of one must not take along what refers to it. SQLite lets this
    // be changed outside of a transaction only.
    connection.pragma_update(None, "foreign_keys", false)?;
    let migrated = run_migrations(path, connection);
    connection.pragma_update(None, "foreign_keys", true)?;
    migrated
}

fn run_migrations(path: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    // Another process may be at it: whoever comes second finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let known = MIGRATIONS.len();
    let found = number(&transaction, "user_version")?;
    let done = usize::try_from(found).ok().filter(|done| *done <= known);
    let Some(done) = done else {
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        return Err(unusable(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        }));
    };
    for migration in &MIGRATIONS[done..] {
        transaction.execute_batch(migration)?;
    }
    if done < known {
        stamp(&transaction, known)?;
    }
    Ok(transaction.commit()?)
}

fn stamp(transaction: &Transaction<'_>, version: usize) -> Result<(), StoreError> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(transaction.pragma_update(None, "user_version", i64::try_from(version).unwrap_or(i64::MAX))?)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let writer = open_writer(&path).unwrap();
        let reader = open_reader(&path).unwrap();
        for connection in [writer, reader] {
            for query in [
                "SELECT state FROM history WHERE job = ?1 ORDER BY position",
                "SELECT id FROM jobs WHERE state = ?1 ORDER BY number",
                "SELECT seq FROM events WHERE job = ?1 ORDER BY seq LIMIT ?1",
            ] {
                let mut statement = connection.prepare(query).unwrap();
                for value in [1, 2, 0, 3] {
                    assert!(!statement.exists([value]).unwrap());
                }
                let planned_again = statement.get_status(StatementStatus::RePrepare);
                assert_eq!(planned_again, 0, "{query}");
            }
        }
    }
}
