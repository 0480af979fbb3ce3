//! Reads jobs with all that is kept of them, in the order of their submission.

use rusqlite::{Connection, params};
use trellis_core::JobId;

use super::rows::{parsed, stored};
use crate::{StoreError, WholeJob};

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
