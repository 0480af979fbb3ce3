//! Accepts jobs.

use rusqlite::{Connection, OptionalExtension, params};
use trellis_core::{EventKind, JobState, StateChange};

use super::attempt::put_result;
use super::changes::{change, enter, event, standing};
use super::rows::{Json, clamped, job, micros, parsed};
use crate::{NewJob, StoreError, Submitted};

/// Writes the job, or finds the earlier one of the same key.
pub(super) fn submit(connection: &Connection, new: &NewJob) -> Result<Submitted, StoreError> {
    if let Some((key, digest)) = &new.idempotency
        && let Some(earlier) = replay(connection, key, digest)?
    {
        return Ok(earlier);
    }
    // A job that is done at once does not wait.
    if new.recalled.is_none() {
        refuse_when_full(connection, new.queue_limit)?;
    }
    let (key, digest) = new.idempotency.clone().unzip();
    connection
        .prepare_cached(
            "INSERT INTO jobs (id, state, backend, params, created_at, updated_at, idempotency_key,
                               idempotency_digest, cached)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            new.id.to_string(),
            JobState::Queued.name(),
            new.backend.name(),
            Json(&new.params),
            micros(new.now),
            key,
            digest,
            new.recalled.is_some(),
        ])?;
    let number = connection.last_insert_rowid();
    let mut statement = connection
        .prepare_cached("INSERT INTO inputs (job, position, input, key) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, (input, key)) in new.inputs.iter().enumerate() {
        statement.execute(params![
            number,
            clamped(position as u64),
            Json(input),
            key.as_str()
        ])?;
    }
    enter(connection, number, JobState::Queued, 0, new.now)?;
    let kind = EventKind::State {
        state: JobState::Queued,
        attempt: 0,
        failure: None,
    };
    event(connection, number, new.now, &kind, None)?;
    if let Some(outcome) = &new.recalled {
        let standing = standing(connection, new.id)?;
        put_result(connection, &standing, new.now, outcome)?;
        change(connection, &standing, StateChange::Recall, new.now, None)?;
    }
    Ok(Submitted {
        job: job(connection, new.id)?,
        replayed: false,
    })
}

fn replay(connection: &Connection, key: &str, digest: &str) -> Result<Option<Submitted>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id, idempotency_digest FROM jobs WHERE idempotency_key = ?1")?;
    let found = statement.query_row([key], |row| Ok((parsed(row, 0)?, row.get::<_, String>(1)?)));
    match found.optional()? {
        None => Ok(None),
        Some((id, stored)) if stored == digest => Ok(Some(Submitted {
            job: job(connection, id)?,
            replayed: true,
        })),
        Some(_) => Err(StoreError::KeyReused { key: key.to_owned() }),
    }
}

fn refuse_when_full(connection: &Connection, limit: u64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM jobs WHERE state = 'queued'")?;
    let queued = statement.query_row([], |row| row.get(0))?;
    if queued < limit {
        return Ok(());
    }
    Err(StoreError::QueueFull { queued, limit })
}
