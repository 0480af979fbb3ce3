//! Reads that change nothing.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use trellis_core::{Input, JobEvent, JobId, JobState};

use super::changes::standing;
use super::rows::{Json, clamped, job, micros, parsed, time};
use crate::{BlobKey, ClaimFilter, Delivered, DeliveredStatement, JobQuery, Page, StoreError, StoreStats};

/// The picture at `index` and where it is.
pub(super) fn input_key(
    connection: &Connection,
    id: JobId,
    index: u32,
) -> Result<Option<(Input, BlobKey)>, StoreError> {
    let job = standing(connection, id)?;
    let mut statement =
        connection.prepare_cached("SELECT input, key FROM inputs WHERE job = ?1 AND position = ?2")?;
    let found = statement.query_row(params![job.number, index], |row| {
        Ok((row.get::<_, Json<_>>(0)?.0, BlobKey::from_stored(row.get(1)?)))
    });
    Ok(found.optional()?)
}

/// The file of that name and where it is.
pub(super) fn artifact_key(
    connection: &Connection,
    id: JobId,
    name: &str,
) -> Result<Option<Delivered>, StoreError> {
    let job = standing(connection, id)?;
    let mut statement =
        connection.prepare_cached("SELECT artifact, key FROM artifacts WHERE job = ?1 AND name = ?2")?;
    let found = statement.query_row(params![job.number, name], |row| {
        Ok(Delivered {
            artifact: row.get::<_, Json<_>>(0)?.0,
            key: BlobKey::from_stored(row.get(1)?),
        })
    });
    Ok(found.optional()?)
}

/// The statement about the job's result and where it is.
pub(super) fn statement_key(
    connection: &Connection,
    id: JobId,
) -> Result<Option<DeliveredStatement>, StoreError> {
    let job = standing(connection, id)?;
    let mut statement = connection.prepare_cached(
        "SELECT statement, statement_key FROM jobs WHERE number = ?1 AND statement IS NOT NULL",
    )?;
    let found = statement.query_row([job.number], |row| {
        Ok(DeliveredStatement {
            file: row.get::<_, Json<_>>(0)?.0,
            key: BlobKey::from_stored(row.get(1)?),
        })
    });
    Ok(found.optional()?)
}

/// Live jobs that fit and list nothing yet: before a job's result nothing but its preview is listed.
pub(super) fn without_preview(
    connection: &Connection,
    filter: &ClaimFilter,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let choices: Vec<&str> = filter.choices.iter().map(|choice| choice.name()).collect();
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs
         WHERE state IN ('queued', 'running') AND backend IN (SELECT value FROM json_each(?1))
           AND NOT EXISTS (SELECT 1 FROM artifacts WHERE artifacts.job = jobs.number)
         ORDER BY number LIMIT ?2",
    )?;
    let ids = statement.query_map(params![Json(choices), limit], |row| parsed(row, 0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A page of jobs, newest first. The cursor is an id, so it stays good when its job is deleted.
pub(super) fn list(connection: &Connection, query: &JobQuery) -> Result<Page, StoreError> {
    let mut statement = connection.prepare_cached(match query.state {
        Some(_) => "SELECT id FROM jobs WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
        None => "SELECT id FROM jobs WHERE ?1 IS NULL AND id < ?2 ORDER BY id DESC LIMIT ?3",
    })?;
    // Ids are lower-case hexadecimal: `g` sorts after all of them.
    let before = query.before.map_or_else(|| "g".to_owned(), |id| id.to_string());
    let limit = query.limit.max(1) as usize;
    // One more than asked for tells whether there is a next page.
    let mut ids = statement
        .query_map(
            params![query.state.map(JobState::name), before, clamped(limit as u64 + 1)],
            |row| parsed(row, 0),
        )?
        .collect::<Result<Vec<JobId>, _>>()?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = if more { ids.last().copied() } else { None };
    let jobs = ids
        .into_iter()
        .map(|id| job(connection, id))
        .collect::<Result<_, _>>()?;
    Ok(Page { jobs, next })
}

/// A job's events after an entry.
pub(super) fn events(
    connection: &Connection,
    id: JobId,
    after: u64,
    limit: u32,
) -> Result<Vec<JobEvent>, StoreError> {
    let job = standing(connection, id)?;
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, kind FROM events WHERE job = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let found = statement.query_map(params![job.number, clamped(after), limit], |row| {
        Ok(JobEvent {
            seq: row.get(0)?,
            job: id,
            at: time(row, 1)?,
            kind: row.get::<_, Json<_>>(2)?.0,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Finished jobs that are to be forgotten, oldest end first. Both rules select from the front of that
/// order, so the longer front holds what either selects.
pub(super) fn expired(
    connection: &Connection,
    keep_jobs: Option<u64>,
    ended_before: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let finished: u64 = connection
        .prepare_cached("SELECT count(*) FROM jobs WHERE ended_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    let old: u64 = connection
        .prepare_cached("SELECT count(*) FROM jobs WHERE ended_at < ?1")?
        .query_row([ended_before.map_or(i64::MIN, micros)], |row| row.get(0))?;
    let surplus = keep_jobs.map_or(0, |keep| finished.saturating_sub(keep));
    let count = surplus.max(old).min(u64::from(limit));
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs WHERE ended_at IS NOT NULL ORDER BY ended_at, number LIMIT ?1",
    )?;
    let found = statement.query_map([clamped(count)], |row| parsed(row, 0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Whether there is such a job.
pub(super) fn knows(connection: &Connection, id: JobId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?
        .exists([id.to_string()])?)
}

/// Jobs by state.
pub(super) fn stats(connection: &Connection) -> Result<StoreStats, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running'),
                count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'failed'),
                count(*) FILTER (WHERE state = 'cancelled')
         FROM jobs",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(StoreStats {
            queued: row.get(0)?,
            running: row.get(1)?,
            succeeded: row.get(2)?,
            failed: row.get(3)?,
            cancelled: row.get(4)?,
        })
    })?)
}
