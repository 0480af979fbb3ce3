//! Whose turn it is: finds the jobs that may be claimed next, of each owner the oldest of each priority, takes the one that the
//! rules choose and notes who was served and who was passed over. Every step is a search in an index, however many jobs wait
//! and are kept: owners and numbers are compared as expressions that one index of waiting jobs has alone, so that the planner
//! has no other choice.
//!
//! Several servers claim at the same time. A job whose row somebody holds is passed over for the next one, and its owner,
//! who is being served, comes last; only where nothing else is left is it waited for, and looked at again.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use trellis_core::{JobId, Priority};
use trellis_jobs::rules::{self, Next, Record, Waiting};
use trellis_jobs::{Ability, ClaimFilter, Needs, Owner, StoreError};
use uuid::Uuid;

use crate::lists::demands;
use crate::rows::{Numbered, RECORD, record_row};
use crate::session::{Found, Session};

/// What waiting jobs need. Goes from text to text, not from job to job.
pub(crate) const NEEDS: &str = "
    WITH RECURSIVE found (needs) AS (
        (SELECT needs FROM jobs WHERE state = 'queued' ORDER BY needs LIMIT 1)
        UNION ALL
        SELECT (SELECT jobs.needs FROM jobs WHERE state = 'queued' AND jobs.needs > found.needs
                ORDER BY jobs.needs LIMIT 1)
        FROM found WHERE found.needs IS NOT NULL
    )
    SELECT needs FROM found WHERE needs IS NOT NULL";

/// Of each owner who has jobs waiting, of each demand (`$1`), of each kind of needs that can be met (`$4`) and of each
/// priority (`$5`) the oldest one that is not in `$3`, with the owner's last turn in the queue `$2`. Goes from owner to
/// owner, not from job to job.
pub(crate) const OLDEST_OF_EACH: &str = "
    WITH RECURSIVE waiting (owner) AS (
        (SELECT '' || owner FROM jobs WHERE state = 'queued' ORDER BY '' || owner LIMIT 1)
        UNION ALL
        SELECT (SELECT '' || jobs.owner FROM jobs WHERE state = 'queued' AND '' || jobs.owner > waiting.owner
                ORDER BY '' || jobs.owner LIMIT 1)
        FROM waiting WHERE waiting.owner IS NOT NULL
    )
    SELECT oldest.id, oldest.number, oldest.owner, oldest.attempt > 0 AS again, coalesce(turns.turn, 0) AS turn,
           oldest.priority, oldest.passed_over
    FROM waiting CROSS JOIN unnest($1::text[]) AS demand CROSS JOIN unnest($4::text[]) AS met
    CROSS JOIN unnest($5::smallint[]) AS rank
    CROSS JOIN LATERAL (
        SELECT id, number, owner, attempt, priority, passed_over FROM jobs
        WHERE state = 'queued' AND '' || jobs.owner = waiting.owner AND backend = demand AND needs = met
            AND priority = rank AND number <> ALL($3::bigint[])
        ORDER BY number + 0 LIMIT 1) AS oldest
    LEFT JOIN turns ON turns.queue = $2 AND turns.owner = waiting.owner";

/// The jobs that wait again. Their own index leads to them, and none to their needs.
const WAITING_AGAIN: &str = "
    SELECT id, number, owner, true AS again, 0::bigint AS turn, priority, passed_over FROM jobs
    WHERE state = 'queued' AND attempt > 0 AND backend = ANY($1) AND needs || '' = ANY($3)
        AND number <> ALL($2::bigint[])";

/// Taken by whoever claims with limits: of two claims at the same time the later one counts the earlier one's job.
const LIMITS: &str = "SELECT pg_advisory_xact_lock(hashtextextended('trellis limits of owners', 0))";

/// The queued job that is to be claimed next, locked, after it was noted who was served and who was passed over.
pub(crate) async fn next(
    session: &Session,
    filter: &ClaimFilter,
) -> Result<Option<Numbered<Record>>, StoreError> {
    let demands = demands(filter);
    let queue = demands.join(" ");
    if !filter.running_limits.is_empty() {
        session.rows(LIMITS, &[]).await?;
    }
    let mut held: Vec<Waiting> = Vec::new();
    let mut waits = false;
    loop {
        let except: Vec<i64> = held.iter().filter(|_| !waits).map(|job| job.number).collect();
        let mut waiting = waiting(session, &demands, &queue, &except, filter).await?;
        for job in &mut waiting {
            if held.iter().any(|held| held.owner == job.owner) {
                job.turn = u64::MAX;
            }
        }
        let Some(Next {
            job: first,
            passes_over,
        }) = rules::next(waiting, &filter.running_limits)
        else {
            if waits || held.is_empty() {
                return Ok(None);
            }
            waits = true;
            continue;
        };
        if let Some(taken) = take(session, first.id, waits).await? {
            pass_over(session, &passes_over).await?;
            serve(session, &queue, &taken.value.owner).await?;
            return Ok(Some(taken));
        }
        // Where it was waited for, it is not queued any more and is not found again.
        held.push(first);
    }
}

async fn waiting(
    session: &Session,
    demands: &[String],
    queue: &str,
    except: &[i64],
    filter: &ClaimFilter,
) -> Result<Vec<Waiting>, StoreError> {
    let met = met(session, &filter.ability).await?;
    let ranks = Priority::ALL.map(Priority::rank);
    let mut waiting = found(
        session,
        OLDEST_OF_EACH,
        &[&demands, &queue, &except, &met, &ranks.as_slice()],
    )
    .await?;
    waiting.extend(found(session, WAITING_AGAIN, &[&demands, &except, &met]).await?);
    if !filter.running_limits.is_empty() && !waiting.is_empty() {
        let running = running(session).await?;
        for job in &mut waiting {
            job.running = running.get(&job.owner).copied().unwrap_or(0);
        }
    }
    Ok(waiting)
}

/// What waiting jobs need of that which is there.
async fn met(session: &Session, ability: &Ability) -> Result<Vec<String>, StoreError> {
    let rows = session.rows(NEEDS, &[]).await?;
    let mut met: Vec<String> = rows
        .iter()
        .map(|row| row.get("needs"))
        .collect::<Result<_, _>>()?;
    met.retain(|needs| Needs::text_is_met_by(needs, ability));
    Ok(met)
}

async fn found(
    session: &Session,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Waiting>, StoreError> {
    let rows = session.rows(statement, values).await?;
    rows.iter().map(waiting_row).collect()
}

fn waiting_row(row: &Found) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        id: JobId::from(row.get::<Uuid>("id")?),
        number: row.get("number")?,
        owner: Owner::named(row.get("owner")?),
        priority: Priority::from_rank(row.get("priority")?),
        passed_over: row.number("passed_over")?,
        again: row.get("again")?,
        turn: row.number("turn")?,
        running: 0,
    })
}

async fn running(session: &Session) -> Result<HashMap<Owner, u64>, StoreError> {
    let rows = session
        .rows(
            "SELECT owner, count(*) AS jobs FROM jobs WHERE state = 'running' GROUP BY owner",
            &[],
        )
        .await?;
    let counts = rows
        .iter()
        .map(|row| Ok((Owner::named(row.get("owner")?), row.number("jobs")?)));
    counts.collect()
}

/// The job, locked, where it is still queued; where somebody holds it, after them or not at all.
async fn take(session: &Session, id: JobId, waits: bool) -> Result<Option<Numbered<Record>>, StoreError> {
    let lock = if waits { "" } else { "SKIP LOCKED" };
    let statement = format!("SELECT {RECORD} FROM jobs WHERE id = $1 AND state = 'queued' FOR UPDATE {lock}");
    let found = session.row(&statement, &[&Uuid::from(id)]).await?;
    found.as_ref().map(record_row).transpose()
}

/// Counts it of each of these jobs, but of those that somebody holds: who claims at the same moment counts it, or the job is
/// being taken. So claims at the same moment count once, and none waits for another.
async fn pass_over(session: &Session, jobs: &[i64]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    session
        .execute(
            "UPDATE jobs SET passed_over = passed_over + 1
             WHERE number IN (SELECT number FROM jobs WHERE number = ANY($1) AND state = 'queued' FOR UPDATE SKIP LOCKED)",
            &[&jobs],
        )
        .await?;
    Ok(())
}

async fn serve(session: &Session, queue: &str, owner: &Owner) -> Result<(), StoreError> {
    session
        .execute(
            "INSERT INTO turns (queue, owner, turn) VALUES ($1, $2, nextval('turns_served'))
             ON CONFLICT (queue, owner) DO UPDATE SET turn = excluded.turn",
            &[&queue, &owner.as_str()],
        )
        .await?;
    Ok(())
}

/// How many jobs wait.
pub(crate) async fn queued(session: &Session) -> Result<u64, StoreError> {
    let waiting = "SELECT coalesce(sum(jobs), 0)::bigint AS jobs FROM counts WHERE state = 'queued'";
    let row = session.row(waiting, &[]).await?;
    row.map_or(Ok(0), |row| row.number("jobs"))
}

/// How many jobs of this owner wait, and how many bytes its jobs keep.
pub(crate) async fn owned(session: &Session, owner: &Owner) -> Result<(u64, u64), StoreError> {
    let sums = "SELECT coalesce(sum(queued), 0)::bigint AS queued, coalesce(sum(bytes), 0)::bigint AS bytes
                 FROM owned WHERE owner = $1";
    let row = session.row(sums, &[&owner.as_str()]).await?;
    row.map_or(Ok((0, 0)), |row| {
        Ok((row.number("queued")?, row.number("bytes")?))
    })
}
