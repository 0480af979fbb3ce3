//! Rows to values and back.

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trellis_core::{
    Artifact, AssetName, Demand, Input, Job, JobId, JobState, JobWebhook, Priority, TraceParent, Transition,
    UnknownName,
};

use crate::rules::{Hold, Record};
use crate::{BlobKey, CacheKey, Latents, Owner, StoreError, StoredJob, Thumbnail, Webhook, WorkerName};

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

/// What the ids of a page are below. Ids are lower-case hexadecimal: `g` sorts after all of them.
pub(super) fn below(cursor: Option<JobId>) -> String {
    cursor.map_or_else(|| "g".to_owned(), |id| id.to_string())
}

/// A time kept as microseconds.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
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

/// A value of a job and the job's number.
pub(super) struct Numbered<T> {
    pub(super) number: i64,
    pub(super) value: T,
}

/// What the rules want to know of a job, where there is one.
pub(super) fn record(connection: &Connection, id: JobId) -> Result<Option<Numbered<Record>>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, owner, state, attempt, charged, worker, lease_until FROM jobs WHERE id = ?1",
    )?;
    let found = statement.query_row([id.to_string()], |row| {
        let worker: Option<String> = row.get(5)?;
        let hold = worker.map(|worker| {
            Ok::<_, rusqlite::Error>(Hold {
                worker: WorkerName(worker),
                until: time(row, 6)?,
            })
        });
        let value = Record {
            id,
            owner: owner(row, 1)?,
            state: state(row, 2)?,
            attempt: row.get(3)?,
            charged: row.get(4)?,
            hold: hold.transpose()?,
        };
        Ok(Numbered {
            number: row.get(0)?,
            value,
        })
    });
    Ok(found.optional()?)
}

/// An owner.
pub(super) fn owner(row: &Row<'_>, column: usize) -> rusqlite::Result<Owner> {
    Ok(Owner::named(row.get_ref(column)?.as_str()?))
}

fn traceparent(row: &Row<'_>) -> rusqlite::Result<Option<TraceParent>> {
    let text: Option<String> = row.get("traceparent")?;
    // It was valid when it was kept, and is not worth a job that cannot be read.
    Ok(text.and_then(|text| text.parse().ok()))
}

/// A job's own row, without what stands in other tables.
fn job_row(row: &Row<'_>) -> rusqlite::Result<Numbered<StoredJob>> {
    fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
        let value: Option<Json<T>> = row.get(column)?;
        Ok(value.map(|json| json.0))
    }
    let webhook: Option<Webhook> = json(row, "webhook")?;
    let state_of_webhook: Option<String> = row.get("webhook_state")?;
    let shown = webhook.as_ref().map(|webhook| {
        Ok::<_, rusqlite::Error>(JobWebhook {
            url: webhook.shown.clone(),
            events: webhook.events.clone(),
            // One that a later version has is not worth a job that cannot be read.
            state: state_of_webhook.and_then(|name| name.parse().ok()),
            problem: row.get("webhook_problem")?,
        })
    });
    let id: JobId = parsed(row, 1)?;
    let thumbnail: Option<Thumbnail> = json(row, "thumbnail")?;
    let latents: Option<Latents> = json(row, "latents")?;
    let job = Job {
        id,
        owner: None,
        state: state(row, 2)?,
        name: row.get::<_, Option<String>>("name")?.map(AssetName::from),
        backend: parsed::<Demand>(row, 3)?.backend(),
        priority: Priority::from_rank(row.get("priority")?),
        created_at: time(row, 4)?,
        updated_at: time(row, 5)?,
        attempt: row.get("attempt")?,
        made_by: row.get("made_by")?,
        source: json(row, "source")?,
        params: row.get::<_, Json<_>>("params")?.0,
        progress: json(row, "progress")?,
        failure: json(row, "failure")?,
        waits_for: None,
        notes: row.get::<_, Json<_>>("notes")?.0,
        provenance: json(row, "provenance")?,
        statement: json(row, "statement")?,
        latents: latents.as_ref().map(Latents::shown),
        timings: json(row, "timings")?,
        cached: row.get("cached")?,
        traceparent: traceparent(row)?,
        webhook: shown.transpose()?,
        thumbnail: thumbnail.as_ref().map(|_| format!("/v1/jobs/{id}/thumbnail")),
        inputs: Vec::new(),
        artifacts: Vec::new(),
        history: Vec::new(),
    };
    let statement: Option<String> = row.get("statement_key")?;
    let cache_key: Option<String> = row.get("cache_key")?;
    let value = StoredJob {
        job,
        owner: owner(row, 6)?,
        inputs: Vec::new(),
        artifacts: Vec::new(),
        statement: statement.map(BlobKey::from_stored),
        thumbnail,
        latents,
        cache_key: cache_key.map(CacheKey::from_stored),
        webhook,
    };
    Ok(Numbered {
        number: row.get(0)?,
        value,
    })
}

/// The job with where its files are.
pub(super) fn stored(connection: &Connection, id: JobId) -> Result<StoredJob, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, id, state, backend, created_at, updated_at, owner, attempt, made_by, params, progress,
                failure, notes, provenance, statement, statement_key, timings, cached, cache_key, traceparent,
                name, thumbnail, webhook, webhook_state, webhook_problem, source, latents, priority
         FROM jobs WHERE id = ?1",
    )?;
    let found = statement.query_row([id.to_string()], job_row).optional()?;
    let Numbered { number, mut value } = found.ok_or(StoreError::NotFound { id })?;
    (value.job.inputs, value.inputs) = files::<Input>(
        connection,
        "SELECT input, key FROM inputs WHERE job = ?1 ORDER BY position",
        number,
    )?;
    (value.job.artifacts, value.artifacts) = files::<Artifact>(
        connection,
        "SELECT artifact, key FROM artifacts WHERE job = ?1 ORDER BY position, name",
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
    value.job.history = history.collect::<Result<_, _>>()?;
    Ok(value)
}

/// The job as clients see it.
pub(super) fn job(connection: &Connection, id: JobId) -> Result<Job, StoreError> {
    Ok(stored(connection, id)?.job)
}

fn files<T: DeserializeOwned>(
    connection: &Connection,
    query: &str,
    number: i64,
) -> Result<(Vec<T>, Vec<BlobKey>), StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_map([number], |row| {
        Ok((row.get::<_, Json<T>>(0)?.0, BlobKey::from_stored(row.get(1)?)))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
