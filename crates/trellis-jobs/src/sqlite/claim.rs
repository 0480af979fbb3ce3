//! Whose turn it is: finds the jobs that may be claimed next, of each owner the oldest of each priority, and notes who was
//! served and who was passed over. Which of them it is the rules say. Every step is a search in an index, however many jobs wait.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use trellis_core::Priority;

use super::rows::{Json, owner, parsed};
use crate::rules::{self, Next, Waiting};
use crate::{Ability, ClaimFilter, Needs, Owner, StoreError};

/// What waiting jobs need. Goes from text to text, not from job to job.
const NEEDS: &str = "
    WITH RECURSIVE found (needs) AS (
        SELECT min(needs) FROM jobs INDEXED BY jobs_needs WHERE state = 'queued'
        UNION ALL
        SELECT (
            SELECT min(jobs.needs) FROM jobs INDEXED BY jobs_needs
            WHERE state = 'queued' AND jobs.needs > found.needs)
        FROM found WHERE found.needs IS NOT NULL
    )
    SELECT needs FROM found WHERE needs IS NOT NULL";

/// Of each owner who has jobs waiting, of each demand (`?1`), of all needs that can be met (`?3`) and of each priority the
/// oldest one, with the owner's last turn in the queue `?2`. Goes from owner to owner, not from job to job.
const OLDEST_OF_EACH: &str = "
    WITH RECURSIVE waiting (owner) AS (
        SELECT min(owner) FROM jobs INDEXED BY jobs_waiting WHERE state = 'queued'
        UNION ALL
        SELECT (
            SELECT min(jobs.owner) FROM jobs INDEXED BY jobs_waiting
            WHERE state = 'queued' AND jobs.owner > waiting.owner)
        FROM waiting WHERE waiting.owner IS NOT NULL
    )
    SELECT jobs.id, jobs.number, jobs.owner, jobs.attempt > 0, coalesce(turns.turn, 0), jobs.priority, jobs.passed_over
    FROM waiting CROSS JOIN json_each(?1) AS demand CROSS JOIN json_each(?4) AS rank
    CROSS JOIN jobs ON jobs.number = (
        SELECT min(first) FROM (
            SELECT (
                SELECT oldest.number FROM jobs AS oldest INDEXED BY jobs_waiting
                WHERE oldest.state = 'queued' AND oldest.owner = waiting.owner AND oldest.backend = demand.value
                    AND oldest.needs = met.value AND oldest.priority = rank.value
                ORDER BY oldest.number LIMIT 1) AS first
            FROM json_each(?3) AS met))
    LEFT JOIN turns ON turns.queue = ?2 AND turns.owner = waiting.owner";

/// The jobs that wait again.
const WAITING_AGAIN: &str = "
    SELECT jobs.id, jobs.number, jobs.owner, 1, 0, jobs.priority, jobs.passed_over
    FROM json_each(?1) AS demand CROSS JOIN jobs INDEXED BY jobs_waiting_again
    WHERE jobs.state = 'queued' AND jobs.attempt > 0 AND jobs.backend = demand.value
        AND jobs.needs IN (SELECT value FROM json_each(?2))";

const RUNNING: &str = "SELECT owner FROM jobs WHERE state = 'running'";

/// The queued job that is to be claimed next, after it was noted who was served and who was passed over.
pub(super) fn next(connection: &Connection, filter: &ClaimFilter) -> Result<Option<Waiting>, StoreError> {
    let demands: Vec<String> = filter.demands.iter().map(ToString::to_string).collect();
    let queue = demands.join(" ");
    let met = met(connection, &filter.ability)?;
    let ranks = Priority::ALL.map(Priority::rank);
    let mut waiting = found(
        connection,
        OLDEST_OF_EACH,
        params![Json(&demands), queue, Json(&met), Json(&ranks)],
    )?;
    waiting.extend(found(
        connection,
        WAITING_AGAIN,
        params![Json(&demands), Json(&met)],
    )?);
    if !filter.running_limits.is_empty() {
        let running = running(connection)?;
        for job in &mut waiting {
            job.running = running.get(&job.owner).copied().unwrap_or(0);
        }
    }
    let next = rules::next(waiting, &filter.running_limits);
    if let Some(Next { job, passes_over }) = &next {
        connection
            .prepare_cached("INSERT OR REPLACE INTO turns (queue, owner) VALUES (?1, ?2)")?
            .execute([&queue, job.owner.as_str()])?;
        let mut pass_over =
            connection.prepare_cached("UPDATE jobs SET passed_over = passed_over + 1 WHERE number = ?1")?;
        for number in passes_over {
            pass_over.execute([number])?;
        }
    }
    Ok(next.map(|next| next.job))
}

/// What waiting jobs need of that which is there.
fn met(connection: &Connection, ability: &Ability) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(NEEDS)?;
    let needs = statement.query_map([], |row| row.get(0))?;
    let mut met: Vec<String> = needs.collect::<Result<_, _>>()?;
    met.retain(|needs| Needs::text_is_met_by(needs, ability));
    Ok(met)
}

fn found(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_map(parameters, waiting)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        id: parsed(row, 0)?,
        number: row.get(1)?,
        owner: owner(row, 2)?,
        again: row.get(3)?,
        turn: row.get(4)?,
        priority: Priority::from_rank(row.get(5)?),
        passed_over: row.get(6)?,
        running: 0,
    })
}

fn running(connection: &Connection) -> Result<HashMap<Owner, u64>, StoreError> {
    let mut running = HashMap::new();
    let mut statement = connection.prepare_cached(RUNNING)?;
    let owners = statement.query_map([], |row| owner(row, 0))?;
    for owner in owners {
        *running.entry(owner?).or_default() += 1;
    }
    Ok(running)
}

/// How many jobs of this owner wait.
pub(super) fn queued_of(connection: &Connection, owner: &Owner) -> Result<u64, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM jobs WHERE state = 'queued' AND owner = ?1")?;
    Ok(statement.query_row([owner.as_str()], |row| row.get(0))?)
}

/// What the jobs of this owner keep.
pub(super) fn kept_by(connection: &Connection, owner: &Owner) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT sum(size_bytes) FROM jobs WHERE owner = ?1")?;
    let kept: Option<Option<u64>> = statement
        .query_row([owner.as_str()], |row| row.get(0))
        .optional()?;
    Ok(kept.flatten().unwrap_or(0))
}

/// Adds up what a job keeps, after its files changed.
pub(super) fn measure(connection: &Connection, number: i64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE jobs SET size_bytes =
             coalesce((SELECT sum(input ->> '$.size_bytes') FROM inputs WHERE job = number), 0)
             + coalesce((SELECT sum(artifact ->> '$.size_bytes') FROM artifacts WHERE job = number), 0)
             + coalesce(statement ->> '$.size_bytes', 0)
             + coalesce(thumbnail ->> '$.size_bytes', 0)
             + coalesce(latents ->> '$.size_bytes', 0)
         WHERE number = ?1",
    )?;
    statement.execute([number])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::sqlite::schema::open_writer;

    const CHOICES: &str = r#"["auto", "relief"]"#;
    const NONE: &str = r#"["{}"]"#;
    const RANKS: &str = "[-1, 0, 1]";

    /// A database in which each of three owners has so many jobs waiting, half of them of a choice that is not asked for.
    /// The first ones have a low priority, the others a normal one, and none has a high one.
    fn waiting_jobs(folder: &tempfile::TempDir, of_each: u32) -> Connection {
        let connection = open_writer(&folder.path().join("jobs.db")).unwrap();
        connection
            .execute(
                "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?1 * 3)
                 INSERT INTO jobs (id, owner, state, backend, params, created_at, updated_at, priority)
                 SELECT printf('01890a5d-ac96-774b-bcce-%012d', n), 'owner-' || (n % 3), 'queued',
                        CASE WHEN n % 2 THEN 'trellis' ELSE 'relief' END, '{}', n, n,
                        CASE WHEN n > 6 THEN 0 ELSE -1 END
                 FROM counted",
                [of_each],
            )
            .unwrap();
        connection
    }

    /// What SQLite does for it, in instructions of its own.
    fn steps(connection: &Connection, query: &str) -> (i32, usize) {
        let mut statement = connection.prepare(query).unwrap();
        let mut rows = match statement.parameter_count() {
            0 => statement.query([]),
            2 => statement.query([CHOICES, NONE]),
            _ => statement.query([CHOICES, "queue", NONE, RANKS]),
        }
        .unwrap();
        let mut found = 0;
        while rows.next().unwrap().is_some() {
            found += 1;
        }
        drop(rows);
        (statement.get_status(StatementStatus::VmStep), found)
    }

    #[test]
    fn a_claim_costs_the_same_however_many_jobs_wait() {
        let (few, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (few, many) = (waiting_jobs(&few, 4), waiting_jobs(&many, 4_000));
        for query in [NEEDS, OLDEST_OF_EACH, WAITING_AGAIN, RUNNING] {
            let (steps_of_few, found) = steps(&few, query);
            assert_eq!(steps(&many, query), (steps_of_few, found), "{query}");
        }
        assert_eq!(steps(&many, OLDEST_OF_EACH).1, 6);
    }
}
