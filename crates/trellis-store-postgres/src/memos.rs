//! What the database knows of itself, and which jobs it has deleted.

use jiff::Timestamp;
use trellis_core::JobId;
use trellis_jobs::StoreError;
use uuid::Uuid;

use crate::session::Session;

/// What was kept under that name.
pub(crate) async fn memo(session: &Session, name: &str) -> Result<Option<String>, StoreError> {
    let found = session
        .row("SELECT value FROM memos WHERE name = $1", &[&name])
        .await?;
    found.map(|row| row.get("value")).transpose()
}

/// Keeps it in the place of what was there.
pub(crate) async fn keep_memo(session: &Session, name: &str, value: &str) -> Result<(), StoreError> {
    session
        .execute(
            "INSERT INTO memos (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            &[&name, &value],
        )
        .await?;
    Ok(())
}

/// When anything last happened to a job that is kept.
pub(crate) async fn newest(session: &Session) -> Result<Option<Timestamp>, StoreError> {
    let found = session
        .row("SELECT max(updated_at) AS newest FROM jobs", &[])
        .await?;
    let micros: Option<i64> = found.map_or(Ok(None), |row| row.get("newest"))?;
    micros
        .map(Timestamp::from_microsecond)
        .transpose()
        .map_err(crate::error::odd)
}

/// Remembers that the job was deleted.
pub(crate) async fn remember_deleted(session: &Session, job: JobId) -> Result<(), StoreError> {
    session
        .execute(
            "INSERT INTO deleted (job) VALUES ($1) ON CONFLICT DO NOTHING",
            &[&Uuid::from(job)],
        )
        .await?;
    Ok(())
}

/// The jobs that were deleted.
pub(crate) async fn deleted(session: &Session) -> Result<Vec<JobId>, StoreError> {
    let found = session.rows("SELECT job FROM deleted ORDER BY job", &[]).await?;
    let ids = found.iter().map(|row| row.get::<Uuid>("job").map(JobId::from));
    ids.collect()
}

/// Forgets that they ever were.
pub(crate) async fn forget_deleted(session: &Session, jobs: &[JobId]) -> Result<(), StoreError> {
    let jobs: Vec<Uuid> = jobs.iter().map(|job| Uuid::from(*job)).collect();
    session
        .execute("DELETE FROM deleted WHERE job = ANY($1)", &[&jobs])
        .await?;
    Ok(())
}
