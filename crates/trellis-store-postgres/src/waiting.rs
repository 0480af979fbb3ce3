//! Which kinds of jobs wait, and which jobs of a kind.

use jiff::Timestamp;
use trellis_core::JobId;
use trellis_jobs::{StoreError, WaitingKind};
use uuid::Uuid;

use crate::session::{Found, Session};

/// The kinds, each once.
pub(crate) async fn kinds(session: &Session) -> Result<Vec<WaitingKind>, StoreError> {
    let found = session
        .rows(
            "SELECT DISTINCT backend, needs FROM jobs WHERE state = 'queued' ORDER BY backend, needs",
            &[],
        )
        .await?;
    found.iter().map(kind).collect()
}

/// Jobs of a kind that were accepted before a time, the oldest first. Sorted by an expression, so that the planner does not
/// walk all jobs in the order of their numbers.
pub(crate) async fn of_kind(
    session: &Session,
    kind: &WaitingKind,
    accepted_before: Timestamp,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let found = session
        .rows(
            "SELECT id FROM jobs
             WHERE state = 'queued' AND needs = $1 AND backend = $2 AND created_at < $3 ORDER BY number + 0 LIMIT $4",
            &[
                &kind.needs,
                &kind.demand,
                &accepted_before.as_microsecond(),
                &i64::from(limit),
            ],
        )
        .await?;
    let ids = found.iter().map(|row| row.get::<Uuid>("id").map(JobId::from));
    ids.collect()
}

/// The kinds of those of these jobs that wait.
pub(crate) async fn kinds_of(
    session: &Session,
    jobs: &[Uuid],
) -> Result<Vec<(JobId, WaitingKind)>, StoreError> {
    let found = session
        .rows(
            "SELECT id, backend, needs FROM jobs WHERE id = ANY($1) AND state = 'queued'",
            &[&jobs],
        )
        .await?;
    let kinds = found.iter();
    kinds
        .map(|row| Ok((row.get::<Uuid>("id")?.into(), kind(row)?)))
        .collect()
}

fn kind(row: &Found) -> Result<WaitingKind, StoreError> {
    Ok(WaitingKind {
        demand: row.get("backend")?,
        needs: row.get("needs")?,
    })
}
