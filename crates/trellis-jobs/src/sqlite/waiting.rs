//! Which kinds of jobs wait, and which jobs of a kind.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use trellis_core::JobId;

use super::rows::{micros, parsed};
use crate::{StoreError, WaitingKind};

/// The kinds, each once.
pub(super) fn kinds(connection: &Connection) -> Result<Vec<WaitingKind>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT backend, needs FROM jobs WHERE state = 'queued'
         ORDER BY backend, needs",
    )?;
    let kinds = statement.query_map([], kind)?;
    Ok(kinds.collect::<Result<_, _>>()?)
}

/// Jobs of a kind that were accepted before a time, the oldest first.
pub(super) fn of_kind(
    connection: &Connection,
    kind: &WaitingKind,
    accepted_before: Timestamp,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs
         WHERE state = 'queued' AND needs = ?1 AND backend = ?2 AND created_at < ?3 ORDER BY number LIMIT ?4",
    )?;
    let values = params![kind.needs, kind.demand, micros(accepted_before), limit];
    let ids = statement.query_map(values, |row| parsed(row, 0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The kind of a job that waits.
pub(super) fn kind_of(connection: &Connection, id: JobId) -> Result<Option<WaitingKind>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT backend, needs FROM jobs WHERE id = ?1 AND state = 'queued'")?;
    Ok(statement.query_row([id.to_string()], kind).optional()?)
}

fn kind(row: &Row<'_>) -> rusqlite::Result<WaitingKind> {
    Ok(WaitingKind {
        demand: row.get(0)?,
        needs: row.get(1)?,
    })
}
