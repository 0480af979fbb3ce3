//! Reads that change nothing.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use trellis_core::{JobEvent, JobId, JobState};

use super::names;
use super::rows::{Json, below, clamped, micros, parsed, record, state, stored, time};
use crate::{CacheKey, ClaimFilter, JobQuery, Owner, Page, StoreError, StoreStats, StoredJob, WorkerName};

/// Live jobs that fit and list nothing yet: before a job's result nothing but its preview is listed.
pub(super) fn without_preview(
    connection: &Connection,
    filter: &ClaimFilter,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let demands: Vec<String> = filter.demands.iter().map(ToString::to_string).collect();
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs
         WHERE state IN ('queued', 'running') AND backend IN (SELECT value FROM json_each(?1))
           AND NOT EXISTS (SELECT 1 FROM artifacts WHERE artifacts.job = jobs.number)
         ORDER BY number LIMIT ?2",
    )?;
    let ids = statement.query_map(params![Json(demands), limit], |row| parsed(row, 0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Jobs whose server may have died, and who it is.
pub(super) fn lapsed(
    connection: &Connection,
    now: Timestamp,
    held_by: Option<&WorkerName>,
) -> Result<Vec<(JobId, WorkerName)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, worker FROM jobs WHERE state = 'running' AND (lease_until <= ?1 OR worker = ?2) ORDER BY number",
    )?;
    let held_by = held_by.map(|worker| &worker.0);
    let lapsed = statement.query_map(params![micros(now), held_by], |row| {
        Ok((parsed(row, 0)?, WorkerName(row.get(1)?)))
    })?;
    Ok(lapsed.collect::<Result<_, _>>()?)
}

/// A page of jobs, newest first. The cursor is an id, so it stays good when its job is deleted.
pub(super) fn list(connection: &Connection, query: &JobQuery) -> Result<Page, StoreError> {
    let limit = query.limit.max(1) as usize;
    // One more than asked for tells whether there is a next page.
    let more_than_asked = limit + 1;
    let mut ids = match &query.name {
        Some(part) => names::with(connection, query, part, more_than_asked)?,
        None => newest(connection, query, more_than_asked)?,
    };
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = if more { ids.last().copied() } else { None };
    let jobs = ids
        .into_iter()
        .map(|id| Ok::<_, StoreError>(stored(connection, id)?.shown_to(&query.owner)));
    let jobs = jobs.collect::<Result<_, _>>()?;
    Ok(Page { jobs, next })
}

/// One owner's jobs in one state. An owner that sees few of many is not to wait for a walk over all of them.
const OF_OWNER: &str = "SELECT id FROM jobs INDEXED BY jobs_by_owner_and_state
     WHERE owner = ?1 AND state = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";
const IN_STATE: &str = "SELECT id FROM jobs WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const ALL: &str = "SELECT id FROM jobs WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

fn newest(connection: &Connection, query: &JobQuery, most: usize) -> Result<Vec<JobId>, StoreError> {
    let before = below(query.before);
    let limit = clamped(most as u64);
    if query.owner.rights().sees_all {
        return match query.state {
            Some(state) => ids(connection, IN_STATE, params![state.name(), before, limit]),
            None => ids(connection, ALL, params![before, limit]),
        };
    }
    let states = query.state.map_or(JobState::ALL.to_vec(), |state| vec![state]);
    // Reads run in a transaction: no job changes its state between these answers.
    let mut found = Vec::new();
    for owner in query.owner.visible() {
        for state in &states {
            found.extend(ids(
                connection,
                OF_OWNER,
                params![owner, state.name(), before, limit],
            )?);
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    // Of a server without keys both owners are nobody.
    found.dedup();
    found.truncate(most);
    Ok(found)
}

fn ids(
    connection: &Connection,
    query: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<JobId>, StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let ids = statement.query_map(values, |row| parsed(row, 0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Jobs with a result of that key.
pub(super) fn cached(
    connection: &Connection,
    owner: &Owner,
    key: &CacheKey,
    limit: u32,
) -> Result<Vec<StoredJob>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs WHERE cache_key = ?1 AND owner = ?2 ORDER BY number DESC LIMIT ?3",
    )?;
    let ids = statement.query_map(params![key.as_str(), owner.as_str(), limit], |row| parsed(row, 0))?;
    let ids = ids.collect::<Result<Vec<JobId>, _>>()?;
    ids.into_iter().map(|id| stored(connection, id)).collect()
}

/// Events after an entry, of one job or of all.
pub(super) fn events(
    connection: &Connection,
    id: Option<JobId>,
    after: u64,
    limit: u32,
) -> Result<Vec<JobEvent>, StoreError> {
    let number = match id {
        Some(id) => Some(record(connection, id)?.ok_or(StoreError::NotFound { id })?.number),
        None => None,
    };
    let mut statement = connection.prepare_cached(match number {
        Some(_) => {
            "SELECT seq, at, kind, id FROM events JOIN jobs ON number = job
             WHERE job = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
        }
        None => {
            "SELECT seq, at, kind, id FROM events JOIN jobs ON number = job
             WHERE ?1 IS NULL AND seq > ?2 ORDER BY seq LIMIT ?3"
        }
    })?;
    let found = statement.query_map(params![number, clamped(after), limit], |row| {
        Ok(JobEvent {
            seq: row.get(0)?,
            job: parsed(row, 3)?,
            at: time(row, 1)?,
            kind: row.get::<_, Json<_>>(2)?.0,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// How many jobs wait.
pub(super) fn queued(connection: &Connection) -> Result<u64, StoreError> {
    Ok(stats(connection)?.queued)
}

/// Finished jobs that are to be forgotten, oldest end first. Both rules select from the front of that
/// order, so the longer front holds what either selects.
pub(super) fn expired(
    connection: &Connection,
    keep_jobs: Option<u64>,
    ended_before: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let stats = stats(connection)?;
    let finished = stats.succeeded + stats.failed + stats.cancelled;
    let old: u64 = connection
        .prepare_cached("SELECT count(*) FROM jobs WHERE ended_at < ?1")?
        .query_row([ended_before.map_or(i64::MIN, micros)], |row| row.get(0))?;
    let surplus = keep_jobs.map_or(0, |keep| finished.saturating_sub(keep));
    let count = surplus.max(old).min(u64::from(limit));
    let mut statement = connection.prepare_cached(
        "SELECT id FROM jobs WHERE ended_at IS NOT NULL ORDER BY ended_at, number LIMIT ?1",
    )?;
    let found = statement.query_map([clamped(count)], |row| parsed(row, 0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// As many rows as there are states, however many jobs.
const COUNTS: &str = "SELECT state, jobs FROM counts";

/// Jobs by state.
pub(super) fn stats(connection: &Connection) -> Result<StoreStats, StoreError> {
    let mut stats = StoreStats::default();
    let mut statement = connection.prepare_cached(COUNTS)?;
    let counts = statement.query_map([], |row| Ok((state(row, 0)?, row.get(1)?)))?;
    for counted in counts {
        let (of, jobs) = counted?;
        *match of {
            JobState::Queued => &mut stats.queued,
            JobState::Running => &mut stats.running,
            JobState::Succeeded => &mut stats.succeeded,
            JobState::Failed => &mut stats.failed,
            JobState::Cancelled => &mut stats.cancelled,
        } = jobs;
    }
    Ok(stats)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::sqlite::schema::open_writer;

    #[test]
    fn counting_jobs_costs_the_same_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("jobs.db")).unwrap();
        let mut steps = Vec::new();
        for jobs in [3, 3_000] {
            connection
                .execute(
                    "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?1)
                     INSERT INTO jobs (id, owner, state, backend, params, created_at, updated_at)
                     SELECT printf('%d-%d', ?1, n), '', 'queued', 'relief', '{}', n, n FROM counted",
                    [jobs],
                )
                .unwrap();
            let mut counting = connection.prepare(COUNTS).unwrap();
            let states = counting.query_map([], |row| row.get::<_, u64>(1)).unwrap();
            assert_eq!(states.count(), JobState::ALL.len());
            steps.push(counting.get_status(StatementStatus::VmStep));
        }
        assert_eq!(steps[0], steps[1]);
        assert_eq!(queued(&connection).unwrap(), 3_003);
    }

    #[test]
    fn lists_read_an_index_and_sort_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("jobs.db")).unwrap();
        for (query, index) in [
            (
                OF_OWNER,
                "COVERING INDEX jobs_by_owner_and_state (owner=? AND state=? AND id<?)",
            ),
            (IN_STATE, "COVERING INDEX jobs_by_state_and_id (state=? AND id<?)"),
            (ALL, "COVERING INDEX sqlite_autoindex_jobs_1 (id<?)"),
        ] {
            let mut plan = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
                .unwrap();
            let values = vec!["1"; plan.parameter_count()];
            let lines = plan.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3));
            let lines: Vec<String> = lines.unwrap().map(Result::unwrap).collect();
            assert!(matches!(&lines[..], [line] if line.ends_with(index)), "{lines:?}");
        }
    }
}
