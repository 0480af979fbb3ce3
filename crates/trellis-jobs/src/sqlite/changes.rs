//! Changes of a job's state: who may, what is written with each.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use trellis_core::{EventKind, Failure, JobId, JobState, StateChange};

use super::rows::{Json, micros, state};
use crate::{Delivered, Lease, StoreError};

/// What decides over a job's next state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) number: i64,
    pub(super) id: JobId,
    pub(super) state: JobState,
    pub(super) attempt: u32,
    pub(super) charged: u32,
    pub(super) worker: Option<String>,
}

/// Where a job stands.
pub(super) fn standing(connection: &Connection, id: JobId) -> Result<Standing, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT number, state, attempt, charged, worker FROM jobs WHERE id = ?1")?;
    let found = statement.query_row([id.to_string()], |row| {
        Ok(Standing {
            number: row.get(0)?,
            id,
            state: state(row, 1)?,
            attempt: row.get(2)?,
            charged: row.get(3)?,
            worker: row.get(4)?,
        })
    });
    found.optional()?.ok_or(StoreError::NotFound { id })
}

/// Where the job of a lease stands, provided that the lease still holds.
pub(super) fn held(connection: &Connection, lease: &Lease) -> Result<Standing, StoreError> {
    let lost = StoreError::LeaseLost {
        id: lease.job,
        attempt: lease.attempt,
    };
    match standing(connection, lease.job) {
        Ok(job)
            if job.state == JobState::Running
                && job.attempt == lease.attempt
                && job.worker.as_deref() == Some(lease.worker.0.as_str()) =>
        {
            Ok(job)
        }
        // Deleted meanwhile: nobody waits for the result.
        Ok(_) | Err(StoreError::NotFound { .. }) => Err(lost),
        Err(error) => Err(error),
    }
}

/// Changes the state where the rules allow it: the row, the history and the event.
/// The caller has set what else the new state needs (a lease) or sets it after.
pub(super) fn change(
    connection: &Connection,
    job: &Standing,
    change: StateChange,
    now: Timestamp,
    failure: Option<&Failure>,
) -> Result<(), StoreError> {
    let next = job.state.after(change).ok_or(StoreError::WrongState {
        id: job.id,
        state: job.state,
    })?;
    let ended = next.is_final().then(|| micros(now));
    let mut statement = connection.prepare_cached(
        "UPDATE jobs SET state = ?2, updated_at = ?3, ended_at = ?4, failure = ?5, progress = NULL,
                         worker = CASE ?2 WHEN 'running' THEN worker END,
                         lease_until = CASE ?2 WHEN 'running' THEN lease_until END
         WHERE number = ?1",
    )?;
    statement.execute(params![
        job.number,
        next.name(),
        micros(now),
        ended,
        failure.map(Json)
    ])?;
    enter(connection, job.number, next, job.attempt, now)?;
    let kind = EventKind::State {
        state: next,
        attempt: job.attempt,
        failure: failure.cloned(),
    };
    event(connection, job.number, now, &kind, None)?;
    if next.is_final() {
        thin(connection, job.number)?;
    }
    Ok(())
}

/// Writes the entry of a state into the history.
pub(super) fn enter(
    connection: &Connection,
    number: i64,
    state: JobState,
    attempt: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO history (job, position, state, at, attempt)
         SELECT ?1, count(*), ?2, ?3, ?4 FROM history WHERE job = ?1",
    )?;
    statement.execute(params![number, state.name(), micros(now), attempt])?;
    Ok(())
}

/// Writes an event. Of those with the same `thinned_by` the last alone is kept when the job ends.
pub(super) fn event(
    connection: &Connection,
    number: i64,
    now: Timestamp,
    kind: &EventKind,
    thinned_by: Option<&str>,
) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("INSERT INTO events (job, at, kind, thinned_by) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![number, micros(now), Json(kind), thinned_by])?;
    Ok(())
}

/// Lists a file of a job; of those with one name the last.
pub(super) fn put_artifact(
    connection: &Connection,
    job: &Standing,
    now: Timestamp,
    position: i64,
    file: &Delivered,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO artifacts (job, name, position, artifact, key) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (job, name) DO UPDATE
             SET position = excluded.position, artifact = excluded.artifact, key = excluded.key",
        )?
        .execute(params![
            job.number,
            file.artifact.name,
            position,
            Json(&file.artifact),
            file.key.as_str()
        ])?;
    let kind = EventKind::Artifact {
        name: file.artifact.name.clone(),
        preview: file.artifact.preview,
    };
    event(connection, job.number, now, &kind, None)
}

/// Bounds what a finished job leaves behind: one progress entry for each stage of each attempt, which
/// still tells how long each took.
fn thin(connection: &Connection, number: i64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM events WHERE job = ?1 AND thinned_by IS NOT NULL AND seq NOT IN (
             SELECT max(seq) FROM events WHERE job = ?1 AND thinned_by IS NOT NULL GROUP BY thinned_by)",
    )?;
    statement.execute([number])?;
    Ok(())
}
