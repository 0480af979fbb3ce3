//! Writes a job as it was, from its docket.

use rusqlite::{Connection, OptionalExtension, params};
use trellis_core::{AssetName, EventKind};

use super::claim::measure;
use super::rows::{Json, micros, record};
use super::write::put_result;
use crate::docket::Docket;
use crate::{StoreError, StoredJob};

/// Writes the job, unless there is one of its name: `false`. An idempotency key that answers with another job by now
/// goes on doing so.
pub(super) fn restore(connection: &Connection, docket: &Docket) -> Result<bool, StoreError> {
    let stored = &docket.stored;
    if record(connection, stored.job.id)?.is_some() {
        return Ok(false);
    }
    let number = insert(connection, docket)?;
    let mut statement = connection
        .prepare_cached("INSERT INTO inputs (job, position, input, key) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, (input, key)) in (0i64..).zip(stored.job.inputs.iter().zip(&stored.inputs)) {
        statement.execute(params![number, position, Json(input), key.as_str()])?;
    }
    if let Some(outcome) = stored.clone().into_outcome() {
        put_result(connection, number, &outcome)?;
    } else {
        measure(connection, number)?;
    }
    put_history(connection, number, stored)?;
    Ok(true)
}

fn insert(connection: &Connection, docket: &Docket) -> Result<i64, StoreError> {
    let stored = &docket.stored;
    let StoredJob { job, owner, .. } = stored;
    // Dockets of earlier versions have no other.
    let first_name = job.inputs.first().and_then(|input| input.name.as_ref());
    let mut taken =
        connection.prepare_cached("SELECT 1 FROM jobs WHERE owner = ?1 AND idempotency_key = ?2")?;
    let mut idempotency = docket.idempotency.clone();
    if let Some((key, _)) = &idempotency
        && taken
            .query_row([owner.as_str(), key], |_| Ok(()))
            .optional()?
            .is_some()
    {
        idempotency = None;
    }
    let (key, digest) = idempotency.unzip();
    connection
        .prepare_cached(
            "INSERT INTO jobs (id, owner, state, backend, params, failure, cached, attempt, created_at, updated_at,
                               ended_at, idempotency_key, idempotency_digest, traceparent, name, thumbnail, webhook,
                               source, priority)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18, ?19)",
        )?
        .execute(params![
            job.id.to_string(),
            owner.as_str(),
            job.state.name(),
            job.demand().to_string(),
            Json(&job.params),
            job.failure.as_ref().map(Json),
            job.cached,
            job.attempt,
            micros(job.created_at),
            micros(job.updated_at),
            job.state.is_final().then(|| micros(job.updated_at)),
            key,
            digest,
            job.traceparent.map(String::from),
            job.name.as_ref().or(first_name).map(AssetName::as_str),
            stored.thumbnail.as_ref().map(Json),
            stored.webhook.as_ref().map(Json),
            job.source.as_ref().map(Json),
            job.priority.rank(),
        ])?;
    Ok(connection.last_insert_rowid())
}

/// The states it went through, and the events that tell of them and of its files.
fn put_history(connection: &Connection, number: i64, stored: &StoredJob) -> Result<(), StoreError> {
    let job = &stored.job;
    let mut entries = connection.prepare_cached(
        "INSERT INTO history (job, position, state, at, attempt) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut events = connection.prepare_cached("INSERT INTO events (job, at, kind) VALUES (?1, ?2, ?3)")?;
    for (position, entered) in (0i64..).zip(&job.history) {
        let at = micros(entered.at);
        entries.execute(params![
            number,
            position,
            entered.state.name(),
            at,
            entered.attempt
        ])?;
        if entered.state.is_final() {
            for artifact in &job.artifacts {
                let listed = EventKind::Artifact {
                    name: artifact.name.clone(),
                    preview: artifact.preview,
                };
                events.execute(params![number, at, Json(listed)])?;
            }
        }
        let state = EventKind::State {
            state: entered.state,
            attempt: entered.attempt,
            failure: job.failure.clone().filter(|_| entered.state == job.state),
        };
        events.execute(params![number, at, Json(state)])?;
    }
    Ok(())
}
