//! Reads jobs with all that is kept of them, in the order of their submission, and writes such a job.

use rusqlite::{Connection, params};
use trellis_core::{JobId, JobState, WebhookState};

use super::claim::measure;
use super::restore::restore;
use super::rows::{Numbered, parsed, record, stored};
use super::write::put_file;
use crate::docket::Docket;
use crate::{Delivered, StoreError, WholeJob};

/// At most `limit` jobs after that number, each with its own.
pub(super) fn wholes(
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, WholeJob)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, id, idempotency_key, idempotency_digest, charged, needs FROM jobs
         WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let found = statement.query_map(params![after, limit], |row| {
        let id: JobId = parsed(row, 1)?;
        let key: Option<String> = row.get(2)?;
        let whole = (key.zip(row.get(3)?), row.get(4)?, row.get(5)?);
        Ok((row.get(0)?, id, whole))
    })?;
    let mut jobs = Vec::new();
    for found in found {
        let (number, id, (idempotency, charged, needs)) = found?;
        let whole = WholeJob {
            stored: stored(connection, id)?,
            idempotency,
            charged,
            needs,
        };
        jobs.push((number, whole));
    }
    Ok(jobs)
}

/// Writes the job as it was, unless there is one of its name: `false`.
pub(super) fn take(connection: &Connection, whole: &WholeJob) -> Result<bool, StoreError> {
    let docket = Docket {
        stored: whole.stored.clone(),
        idempotency: whole.idempotency.clone(),
    };
    if !restore(connection, &docket)? {
        return Ok(false);
    }
    let job = &whole.stored.job;
    let webhook = job.webhook.as_ref();
    connection
        .prepare_cached(
            "UPDATE jobs SET charged = ?2, needs = ?3, webhook_state = ?4, webhook_problem = ?5 WHERE id = ?1",
        )?
        .execute(params![
            job.id.to_string(),
            whole.charged,
            whole.needs,
            webhook.and_then(|webhook| webhook.state).map(WebhookState::name),
            webhook.and_then(|webhook| webhook.problem.clone()),
        ])?;
    // A preview of a job without a result is in no docket.
    if let Some(Numbered { number, .. }) = record(connection, job.id)?
        && job.state != JobState::Succeeded
    {
        for (position, (artifact, key)) in job.artifacts.iter().zip(&whole.stored.artifacts).enumerate() {
            let (artifact, key) = (artifact.clone(), key.clone());
            put_file(connection, number, position, &Delivered { artifact, key })?;
        }
        measure(connection, number)?;
    }
    Ok(true)
}
