//! What the database knows of itself, and which jobs it has deleted.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use trellis_core::JobId;

use super::rows::{parsed, time};
use crate::StoreError;

/// What was kept under that name.
pub(super) fn memo(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM memos WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Keeps it in the place of what was there.
pub(super) fn keep_memo(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO memos (name, value) VALUES (?1, ?2)")?;
    statement.execute(params![name, value])?;
    Ok(())
}

/// When anything last happened to a job that is kept.
pub(super) fn newest(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT updated_at FROM jobs ORDER BY updated_at DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| time(row, 0)).optional()?)
}

/// Remembers that the job was deleted.
pub(super) fn remember_deleted(connection: &Connection, job: JobId) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO deleted (job) VALUES (?1)")?;
    statement.execute([job.to_string()])?;
    Ok(())
}

/// The jobs that were deleted.
pub(super) fn deleted(connection: &Connection) -> Result<Vec<JobId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT job FROM deleted")?;
    let found = statement.query_map([], |row| parsed(row, 0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Forgets that they ever were.
pub(super) fn forget_deleted(connection: &Connection, jobs: &[JobId]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM deleted WHERE job = ?1")?;
    for job in jobs {
        statement.execute([job.to_string()])?;
    }
    Ok(())
}
