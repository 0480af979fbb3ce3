//! Reads that change nothing.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use trellis_core::{JobEvent, JobId, JobState};
use trellis_jobs::{
    CacheKey, ClaimFilter, JobQuery, KeptLatents, Owner, Page, StoreError, StoreStats, StoredJob, WorkerName,
};
use uuid::Uuid;

use crate::rows::{JOB, job_row};
use crate::session::{Found, Session};

fn ids(rows: &[Found]) -> Result<Vec<JobId>, StoreError> {
    let ids = rows.iter().map(|row| row.get::<Uuid>("id").map(JobId::from));
    ids.collect()
}

/// A number that the database can hold; beyond, the largest one.
pub(crate) fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What somebody serves, as jobs have it.
pub(crate) fn demands(filter: &ClaimFilter) -> Vec<String> {
    filter.demands.iter().map(ToString::to_string).collect()
}

/// Live jobs that fit and list nothing yet: before a job's result nothing but its preview is listed. Sorted by an expression, so
/// that the planner does not walk all jobs in the order of their numbers.
pub(crate) async fn without_preview(
    session: &Session,
    filter: &ClaimFilter,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let found = session
        .rows(
            "SELECT id FROM jobs
             WHERE state IN ('queued', 'running') AND backend = ANY($1)
               AND NOT EXISTS (SELECT 1 FROM artifacts WHERE artifacts.job = jobs.number)
             ORDER BY number + 0 LIMIT $2",
            &[&demands(filter), &i64::from(limit)],
        )
        .await?;
    ids(&found)
}

/// Jobs whose server may have died, and who it is.
pub(crate) async fn lapsed(
    session: &Session,
    now: Timestamp,
    held_by: Option<&WorkerName>,
) -> Result<Vec<(JobId, WorkerName)>, StoreError> {
    let now = session.now(now).await?.as_microsecond();
    let held_by = held_by.map(|worker| &worker.0);
    let found = session
        .rows(
            "SELECT id, worker FROM jobs WHERE state = 'running' AND (lease_until <= $1 OR worker = $2) ORDER BY number",
            &[&now, &held_by],
        )
        .await?;
    let lapsed = found.iter().map(|row| {
        let id = JobId::from(row.get::<Uuid>("id")?);
        Ok((id, WorkerName(row.get("worker")?)))
    });
    lapsed.collect()
}

/// The newest jobs of each owner and state (`$1`, `$2`), each found in an index, and of them the newest.
const OF_OWNERS: &str = "
    SELECT found.id FROM unnest($1::text[]) AS whose CROSS JOIN unnest($2::text[]) AS stands
    CROSS JOIN LATERAL (
        SELECT id FROM jobs WHERE owner = whose AND state = stands AND id < $3 ORDER BY id DESC LIMIT $4) AS found
    ORDER BY id DESC LIMIT $4";
const IN_STATES: &str = "
    SELECT found.id FROM unnest($1::text[]) AS stands
    CROSS JOIN LATERAL (
        SELECT id FROM jobs WHERE state = stands AND id < $2 ORDER BY id DESC LIMIT $3) AS found
    ORDER BY id DESC LIMIT $3";
/// Walks the index from the newest name on, which has all that is looked at.
const NAMED: &str = "
    SELECT id FROM jobs
    WHERE name_folded IS NOT NULL AND id < $3 AND ($1::text[] IS NULL OR owner = ANY($1)) AND state = ANY($2)
      AND strpos(name_folded, $5) > 0
    ORDER BY id DESC LIMIT $4";

/// A page of jobs, newest first. The cursor is an id, so it stays good when its job is deleted.
pub(crate) async fn list(session: &Session, query: &JobQuery) -> Result<Page, StoreError> {
    let limit = query.limit.max(1) as usize;
    // One more than asked for tells whether there is a next page.
    let most = clamped(limit as u64 + 1);
    let before = query.before.map_or(Uuid::max(), Uuid::from);
    let states = query.state.map_or(JobState::ALL.to_vec(), |state| vec![state]);
    let states: Vec<&str> = states.iter().map(|state| state.name()).collect();
    let owners = (!query.owner.rights().sees_all).then(|| {
        let mut owners = query.owner.visible().to_vec();
        // Of a server without keys both are nobody.
        owners.dedup();
        owners
    });
    let part = query.name.as_ref().map(|part| part.to_lowercase());
    let (found, values): (&str, Vec<&(dyn ToSql + Sync)>) = match (&part, &owners) {
        (Some(part), owners) => (NAMED, vec![owners, &states, &before, &most, part]),
        (None, Some(owners)) => (OF_OWNERS, vec![owners, &states, &before, &most]),
        (None, None) => (IN_STATES, vec![&states, &before, &most]),
    };
    let statement = format!("SELECT {JOB} FROM jobs WHERE id = ANY(ARRAY({found})) ORDER BY id DESC");
    let rows = session.rows(&statement, &values).await?;
    let jobs = rows.iter().map(|row| Ok(job_row(row)?.shown_to(&query.owner)));
    let mut jobs = jobs.collect::<Result<Vec<_>, StoreError>>()?;
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().map(|job| job.id).filter(|_| more);
    Ok(Page { jobs, next })
}

/// Jobs with a result of that key.
pub(crate) async fn cached(
    session: &Session,
    owner: &Owner,
    key: &CacheKey,
    limit: u32,
) -> Result<Vec<StoredJob>, StoreError> {
    let statement =
        format!("SELECT {JOB} FROM jobs WHERE cache_key = $1 AND owner = $2 ORDER BY number DESC LIMIT $3");
    let rows = session
        .rows(&statement, &[&key.as_str(), &owner.as_str(), &i64::from(limit)])
        .await?;
    rows.iter().map(job_row).collect()
}

/// Events after an entry, of one job or of all.
pub(crate) async fn events(
    session: &Session,
    job: Option<JobId>,
    after: u64,
    limit: u32,
) -> Result<Vec<JobEvent>, StoreError> {
    let (after, limit) = (clamped(after), i64::from(limit));
    let rows = if let Some(id) = job {
        let number = session
            .row("SELECT number FROM jobs WHERE id = $1", &[&Uuid::from(id)])
            .await?
            .ok_or(StoreError::NotFound { id })?
            .get::<i64>("number")?;
        let of_job = "SELECT seq, at, kind FROM events WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        session.rows(of_job, &[&number, &after, &limit]).await?
    } else {
        let of_all = "SELECT seq, at, kind, id FROM events JOIN jobs ON number = job
                      WHERE seq > $1 ORDER BY seq LIMIT $2";
        session.rows(of_all, &[&after, &limit]).await?
    };
    let events = rows.iter().map(|row| {
        Ok(JobEvent {
            seq: row.number("seq")?,
            job: match job {
                Some(id) => id,
                None => JobId::from(row.get::<Uuid>("id")?),
            },
            at: row.time("at")?,
            kind: row.json("kind")?,
        })
    });
    events.collect()
}

/// Finished jobs that are to be forgotten, oldest end first. Both rules select from the front of that
/// order, so the longer front holds what either selects.
pub(crate) async fn expired(
    session: &Session,
    keep_jobs: Option<u64>,
    ended_before: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let ended_before = ended_before.map_or(i64::MIN, Timestamp::as_microsecond);
    let keep = clamped(keep_jobs.unwrap_or(u64::MAX));
    let found = session
        .rows(
            "SELECT id FROM jobs WHERE ended_at IS NOT NULL ORDER BY ended_at, number
             LIMIT least($3, greatest(
                 (SELECT count(*) FROM (SELECT FROM jobs WHERE ended_at < $1 LIMIT $3) AS old),
                 (SELECT coalesce(sum(jobs), 0)::bigint - $2 FROM counts WHERE state NOT IN ('queued', 'running'))))",
            &[&ended_before, &keep, &i64::from(limit)],
        )
        .await?;
    ids(&found)
}

/// What was sampled for jobs and is kept, the newest job first.
pub(crate) async fn with_latents(session: &Session) -> Result<Vec<KeptLatents>, StoreError> {
    let rows = session
        .rows(
            "SELECT id, coalesce(ended_at, updated_at) AS ended_at, latents FROM jobs
             WHERE latents IS NOT NULL ORDER BY id DESC",
            &[],
        )
        .await?;
    let kept = rows.iter().map(|row| {
        Ok(KeptLatents {
            job: JobId::from(row.get::<Uuid>("id")?),
            ended_at: row.time("ended_at")?,
            latents: row.json("latents")?,
        })
    });
    kept.collect()
}

/// Jobs by state.
pub(crate) async fn stats(session: &Session) -> Result<StoreStats, StoreError> {
    let rows = session
        .rows(
            "SELECT state, sum(jobs)::bigint AS jobs FROM counts GROUP BY state",
            &[],
        )
        .await?;
    let mut stats = StoreStats::default();
    for row in rows {
        let jobs = row.number("jobs")?;
        match row.parsed("state")? {
            JobState::Queued => stats.queued = jobs,
            JobState::Running => stats.running = jobs,
            JobState::Succeeded => stats.succeeded = jobs,
            JobState::Failed => stats.failed = jobs,
            JobState::Cancelled => stats.cancelled = jobs,
        }
    }
    Ok(stats)
}
