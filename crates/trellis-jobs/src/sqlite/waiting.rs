//! Which kinds of jobs wait, and which jobs of a kind.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use trellis_core::JobId;

use super::rows::{Json, micros, parsed};
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

/// The kinds of those of these jobs that wait.
pub(super) fn kinds_of(
    connection: &Connection,
    jobs: &[JobId],
) -> Result<Vec<(JobId, WaitingKind)>, StoreError> {
    let mut statement = connection.prepare_cached(KINDS_OF)?;
    let kinds = statement.query_map([Json(jobs)], |row| Ok((parsed(row, 2)?, kind(row)?)))?;
    Ok(kinds.collect::<Result<_, _>>()?)
}

/// `CROSS`: each name is looked up in the index, however many jobs wait.
const KINDS_OF: &str = "SELECT backend, needs, jobs.id FROM json_each(?1) CROSS JOIN jobs ON jobs.id = value
     WHERE state = 'queued'";

fn kind(row: &Row<'_>) -> rusqlite::Result<WaitingKind> {
    Ok(WaitingKind {
        demand: row.get(0)?,
        needs: row.get(1)?,
    })
}
