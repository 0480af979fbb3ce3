//! What happens to jobs from outside an attempt: cancelled, forgotten, taken back from the dead.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use trellis_core::{Failure, FailureKind, Job, JobId, StateChange, counted};

use super::changes::{change, put_artifact, standing};
use super::rows::{job, micros, parsed, texts};
use crate::{BlobKey, Delivered, Recovered, StoreError, WorkerName};

/// Cancels a live job. A running one is cancelled at once: its worker hears of it at the next heartbeat.
pub(super) fn cancel(connection: &Connection, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
    change(
        connection,
        &standing(connection, id)?,
        StateChange::Cancel,
        now,
        None,
    )?;
    job(connection, id)
}

/// Lists a preview of a live job.
pub(super) fn preview(
    connection: &Connection,
    id: JobId,
    now: Timestamp,
    file: &Delivered,
) -> Result<(), StoreError> {
    let job = standing(connection, id)?;
    if job.state.is_final() {
        return Err(StoreError::WrongState { id, state: job.state });
    }
    put_artifact(connection, &job, now, 0, file)?;
    let mut statement = connection.prepare_cached("UPDATE jobs SET updated_at = ?2 WHERE number = ?1")?;
    statement.execute(params![job.number, micros(now)])?;
    Ok(())
}

/// Forgets a finished job.
pub(super) fn delete(connection: &Connection, id: JobId) -> Result<Vec<BlobKey>, StoreError> {
    let job = standing(connection, id)?;
    if !job.state.is_final() {
        return Err(StoreError::WrongState { id, state: job.state });
    }
    let mut keys = texts(
        connection,
        "SELECT key FROM inputs WHERE job = ?1 ORDER BY position",
        job.number,
    )?;
    keys.extend(texts(
        connection,
        "SELECT key FROM artifacts WHERE job = ?1 ORDER BY name",
        job.number,
    )?);
    keys.extend(texts(
        connection,
        "SELECT statement_key FROM jobs WHERE number = ?1 AND statement_key IS NOT NULL",
        job.number,
    )?);
    connection
        .prepare_cached("DELETE FROM jobs WHERE number = ?1")?
        .execute([job.number])?;
    Ok(keys.into_iter().map(BlobKey::from_stored).collect())
}

/// Takes back jobs whose lease has lapsed or whose worker has come back without them.
pub(super) fn recover(
    connection: &Connection,
    now: Timestamp,
    max_attempts: u32,
    held_by: Option<&WorkerName>,
) -> Result<Recovered, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs WHERE state = 'running' AND (lease_until <= ?1 OR worker = ?2) ORDER BY number",
    )?;
    let lost = statement
        .query_map(params![micros(now), held_by.map(|worker| &worker.0)], |row| {
            parsed(row, 0)
        })?
        .collect::<Result<Vec<JobId>, _>>()?;
    let mut recovered = Recovered::default();
    for id in lost {
        let job = standing(connection, id)?;
        if job.charged < max_attempts {
            change(connection, &job, StateChange::Requeue, now, None)?;
            recovered.requeued.push(id);
        } else {
            let failure = Failure::new(
                FailureKind::WorkerLost,
                format!(
                    "the worker was lost in each of {}",
                    counted(job.charged.into(), "attempt", "attempts")
                ),
            );
            change(connection, &job, StateChange::Fail, now, Some(&failure))?;
            recovered.failed.push(id);
        }
    }
    Ok(recovered)
}
