//! One attempt of a job: claimed, kept alive, reported on, ended.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use trellis_core::{EventKind, Failure, Job, JobState, Progress, StateChange};

use super::changes::{Standing, change, event, held, put_artifact, standing};
use super::rows::{Json, clamped, job, later, micros, parsed, texts};
use crate::{BlobKey, Claim, ClaimFilter, Heartbeat, Lease, Outcome, StoreError, WorkerName};

/// Takes the oldest queued job that fits.
pub(super) fn claim(
    connection: &Connection,
    worker: &WorkerName,
    filter: &ClaimFilter,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<Claim>, StoreError> {
    let choices: Vec<&str> = filter.choices.iter().map(|choice| choice.name()).collect();
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs
         WHERE state = 'queued' AND backend IN (SELECT value FROM json_each(?1))
         ORDER BY number LIMIT 1",
    )?;
    let Some(id) = statement
        .query_row([Json(choices)], |row| parsed(row, 0))
        .optional()?
    else {
        return Ok(None);
    };
    let mut taken = standing(connection, id)?;
    taken.attempt += 1;
    connection
        .prepare_cached(
            "UPDATE jobs SET state = 'running', attempt = ?2, charged = charged + 1, worker = ?3, lease_until = ?4
             WHERE number = ?1",
        )?
        .execute(params![taken.number, taken.attempt, worker.0, later(now, lease)])?;
    change(connection, &taken, StateChange::Claim, now, None)?;
    let inputs = texts(
        connection,
        "SELECT key FROM inputs WHERE job = ?1 ORDER BY position",
        taken.number,
    )?;
    Ok(Some(Claim {
        lease: Lease {
            job: id,
            attempt: taken.attempt,
            worker: worker.clone(),
        },
        job: job(connection, id)?,
        inputs: inputs.into_iter().map(BlobKey::from_stored).collect(),
    }))
}

/// Keeps the lease, or says that the job was cancelled.
pub(super) fn heartbeat(
    connection: &Connection,
    lease: &Lease,
    now: Timestamp,
    extend: Duration,
) -> Result<Heartbeat, StoreError> {
    let lost = match held(connection, lease) {
        Ok(job) => {
            connection
                .prepare_cached("UPDATE jobs SET lease_until = ?2 WHERE number = ?1")?
                .execute(params![job.number, later(now, extend)])?;
            return Ok(Heartbeat::Continue);
        }
        Err(lost @ StoreError::LeaseLost { .. }) => lost,
        Err(error) => return Err(error),
    };
    match standing(connection, lease.job) {
        Ok(job) if job.state == JobState::Cancelled && job.attempt == lease.attempt => {
            Ok(Heartbeat::Cancelled)
        }
        _ => Err(lost),
    }
}

/// Records how far it is.
pub(super) fn progress(
    connection: &Connection,
    lease: &Lease,
    now: Timestamp,
    progress: Progress,
) -> Result<(), StoreError> {
    let job = held(connection, lease)?;
    connection
        .prepare_cached("UPDATE jobs SET progress = ?2, updated_at = ?3 WHERE number = ?1")?
        .execute(params![job.number, Json(progress), micros(now)])?;
    let thinned_by = format!("{}/{}", lease.attempt, progress.stage);
    event(
        connection,
        job.number,
        now,
        &EventKind::Progress(progress),
        Some(&thinned_by),
    )
}

/// Ends the job with its result. Previews give way to it.
pub(super) fn succeed(
    connection: &Connection,
    lease: &Lease,
    now: Timestamp,
    outcome: &Outcome,
) -> Result<Job, StoreError> {
    let standing = held(connection, lease)?;
    put_result(connection, &standing, now, outcome)?;
    change(connection, &standing, StateChange::Succeed, now, None)?;
    job(connection, lease.job)
}

/// Lists the files of a result and what is known of it.
pub(super) fn put_result(
    connection: &Connection,
    job: &Standing,
    now: Timestamp,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM artifacts WHERE job = ?1")?
        .execute([job.number])?;
    for (position, file) in outcome.artifacts.iter().enumerate() {
        put_artifact(connection, job, now, clamped(position as u64), file)?;
    }
    let statement = outcome.statement.as_ref();
    connection
        .prepare_cached(
            "UPDATE jobs SET made_by = ?2, notes = ?3, provenance = ?4, statement = ?5, statement_key = ?6,
                             timings = ?7
             WHERE number = ?1",
        )?
        .execute(params![
            job.number,
            outcome.made_by,
            Json(&outcome.notes),
            outcome.provenance.as_ref().map(Json),
            statement.map(|stated| Json(&stated.file)),
            statement.map(|stated| stated.key.as_str()),
            outcome.timings.as_ref().map(Json),
        ])?;
    Ok(())
}

/// Ends the job without a result.
pub(super) fn fail(
    connection: &Connection,
    lease: &Lease,
    now: Timestamp,
    failure: &Failure,
) -> Result<Job, StoreError> {
    let standing = held(connection, lease)?;
    change(connection, &standing, StateChange::Fail, now, Some(failure))?;
    job(connection, lease.job)
}

/// Hands the job back, uncharged.
pub(super) fn release(connection: &Connection, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
    let job = held(connection, lease)?;
    connection
        .prepare_cached("UPDATE jobs SET charged = charged - 1 WHERE number = ?1")?
        .execute([job.number])?;
    change(connection, &job, StateChange::Requeue, now, None)
}
