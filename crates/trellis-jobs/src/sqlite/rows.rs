//! Rows to values and back.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trellis_core::{Artifact, BackendChoice, Input, Job, JobId, JobState, Transition, UnknownName};

use crate::StoreError;

/// A value kept as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(text.into())
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// A time kept as microseconds.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The end of a lease that starts now.
pub(super) fn later(now: Timestamp, by: Duration) -> i64 {
    micros(now).saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
}

/// A number that SQLite can hold; beyond, the largest one.
pub(super) fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn odd(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// A value kept by its name.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| odd(column, error))
}

/// A time.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|error| odd(column, error))
}

/// A state.
pub(super) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<JobState> {
    let name: String = row.get(column)?;
    name.parse().map_err(|error: UnknownName| odd(column, error))
}

/// A job's own row, without what stands in other tables, and its number.
fn job_row(row: &Row<'_>) -> rusqlite::Result<(i64, Job)> {
    let progress: Option<Json<_>> = row.get("progress")?;
    let failure: Option<Json<_>> = row.get("failure")?;
    let provenance: Option<Json<_>> = row.get("provenance")?;
    let statement: Option<Json<_>> = row.get("statement")?;
    let timings: Option<Json<_>> = row.get("timings")?;
    let job = Job {
        id: parsed(row, 1)?,
        state: state(row, 2)?,
        backend: parsed::<BackendChoice>(row, 3)?,
        created_at: time(row, 4)?,
        updated_at: time(row, 5)?,
        attempt: row.get("attempt")?,
        made_by: row.get("made_by")?,
        params: row.get::<_, Json<_>>("params")?.0,
        progress: progress.map(|json| json.0),
        failure: failure.map(|json| json.0),
        notes: row.get::<_, Json<_>>("notes")?.0,
        provenance: provenance.map(|json| json.0),
        statement: statement.map(|json| json.0),
        timings: timings.map(|json| json.0),
        cached: row.get("cached")?,
        inputs: Vec::new(),
        artifacts: Vec::new(),
        history: Vec::new(),
    };
    Ok((row.get(0)?, job))
}

/// The whole job.
pub(super) fn job(connection: &Connection, id: JobId) -> Result<Job, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, id, state, backend, created_at, updated_at, attempt, made_by, params, progress,
                failure, notes, provenance, statement, timings, cached
         FROM jobs WHERE id = ?1",
    )?;
    let found = statement.query_row([id.to_string()], job_row).optional()?;
    let (number, mut job) = found.ok_or(StoreError::NotFound { id })?;
    job.inputs = column::<Input>(
        connection,
        "SELECT input FROM inputs WHERE job = ?1 ORDER BY position",
        number,
    )?;
    job.artifacts = column::<Artifact>(
        connection,
        "SELECT artifact FROM artifacts WHERE job = ?1 ORDER BY position, name",
        number,
    )?;
    let mut statement = connection
        .prepare_cached("SELECT state, at, attempt FROM history WHERE job = ?1 ORDER BY position")?;
    let history = statement.query_map([number], |row| {
        Ok(Transition {
            state: state(row, 0)?,
            at: time(row, 1)?,
            attempt: row.get(2)?,
        })
    })?;
    job.history = history.collect::<Result<_, _>>()?;
    Ok(job)
}

fn column<T: DeserializeOwned>(
    connection: &Connection,
    query: &str,
    number: i64,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let values = statement.query_map([number], |row| Ok(row.get::<_, Json<T>>(0)?.0))?;
    Ok(values.collect::<Result<_, _>>()?)
}

/// A column of texts.
pub(super) fn texts(connection: &Connection, query: &str, number: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let values = statement.query_map([number], |row| row.get(0))?;
    Ok(values.collect::<Result<_, _>>()?)
}
