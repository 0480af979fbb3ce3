//! Writes down what the rules say.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use trellis_core::{AssetName, EventKind, JobEvent, JobId, JobState};

use super::claim;
use super::memos::remember_deleted;
use super::names::{self, thumbnail};
use super::outbox;
use super::query::queued;
use super::rows::{Json, Numbered, clamped, job, micros, parsed, record, stored};
use crate::rules::{self, Acceptance, Command, Edit, Files, Record, Standing, Step, Waiting};
use crate::wakes::{Seen, Wake};
use crate::{
    Applied, CacheKey, Claim, ClaimFilter, Delivered, Lease, NewJob, Outcome, Owner, StoreError, Submitted,
    WorkerName,
};

/// What a write answers, and whom it wakes.
pub(super) type Written<T> = Result<(T, Option<Wake>), StoreError>;

/// Writes the job, or finds the earlier one of the same key.
pub(super) fn submit(connection: &Connection, new: &NewJob) -> Written<Submitted> {
    let earlier = match &new.idempotency {
        Some((key, _)) => earlier(connection, new, key)?,
        None => None,
    };
    let (earlier, digest) = earlier.unzip();
    match rules::accept(new, digest.as_deref(), standing(connection, new)?)? {
        Acceptance::Replay => {
            let job = job(connection, earlier.unwrap_or(new.id))?;
            Ok((Submitted { job, replayed: true }, None))
        }
        Acceptance::New(step) => {
            let number = insert(connection, new)?;
            let wake = write(connection, number, new.id, &step, new.now)?;
            let job = job(connection, new.id)?;
            Ok((Submitted { job, replayed: false }, wake))
        }
    }
}

/// Counts what is limited, and nothing else.
fn standing(connection: &Connection, new: &NewJob) -> Result<Standing, StoreError> {
    let rights = new.owner.rights();
    let count = |limit: Option<u64>, count: fn(&Connection, &Owner) -> Result<u64, StoreError>| {
        limit.map_or(Ok(0), |_| count(connection, &new.owner))
    };
    Ok(Standing {
        queued: queued(connection)?,
        own_queued: count(rights.queued, claim::queued_of)?,
        own_kept_bytes: count(rights.kept_bytes, claim::kept_by)?,
    })
}

fn earlier(connection: &Connection, new: &NewJob, key: &str) -> Result<Option<(JobId, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, idempotency_digest FROM jobs WHERE owner = ?1 AND idempotency_key = ?2",
    )?;
    let found = statement.query_row([new.owner.as_str(), key], |row| {
        Ok((parsed(row, 0)?, row.get(1)?))
    });
    Ok(found.optional()?)
}

/// The row as it is before anything happened to the job.
fn insert(connection: &Connection, new: &NewJob) -> Result<i64, StoreError> {
    let (key, digest) = new.idempotency.clone().unzip();
    connection
        .prepare_cached(
            "INSERT INTO jobs (id, owner, state, backend, params, created_at, updated_at, idempotency_key,
                               idempotency_digest, cached, traceparent, name, webhook,
                               source, needs, priority)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            new.id.to_string(),
            new.owner.as_str(),
            JobState::Queued.name(),
            new.demand().to_string(),
            Json(&new.params),
            micros(new.now),
            key,
            digest,
            new.recalled.is_some(),
            new.traceparent.map(String::from),
            new.name.as_ref().map(AssetName::as_str),
            new.webhook.as_ref().map(Json),
            new.source.as_ref().map(Json),
            new.needs.to_text(),
            new.priority.rank(),
        ])?;
    let number = connection.last_insert_rowid();
    let mut statement = connection
        .prepare_cached("INSERT INTO inputs (job, position, input, key) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, (input, key)) in (0i64..).zip(&new.inputs) {
        statement.execute(params![number, position, Json(input), key.as_str()])?;
    }
    claim::measure(connection, number)?;
    Ok(number)
}

/// Takes the queued job whose turn it is.
pub(super) fn claim(
    connection: &Connection,
    worker: &WorkerName,
    filter: &ClaimFilter,
    now: Timestamp,
    lease: Duration,
) -> Written<Option<Claim>> {
    let Some(Waiting { id, .. }) = claim::next(connection, filter)? else {
        return Ok((None, None));
    };
    let command = Command::Claim {
        worker: worker.clone(),
        lease,
    };
    let (step, wake) = apply_to(connection, id, now, command)?;
    let claimed = stored(connection, id)?;
    let lease = Lease {
        job: id,
        attempt: step.record.map_or(0, |record| record.attempt),
        worker: worker.clone(),
    };
    let claim = Claim {
        lease,
        job: claimed.job,
        inputs: claimed.inputs,
    };
    Ok((Some(claim), wake))
}

/// Does to a job what the rules say of `command`.
pub(super) fn apply(
    connection: &Connection,
    id: JobId,
    now: Timestamp,
    command: Command,
) -> Written<Applied> {
    let before = match &command {
        Command::Edit {
            edit: Edit::Thumbnail(_),
            ..
        } => thumbnail(connection, id)?,
        _ => None,
    };
    let (step, wake) = apply_to(connection, id, now, command)?;
    let entered = step.record.is_some() && !step.entered.is_empty();
    let applied = Applied {
        state: step.record.map(|record| record.state),
        job: entered.then(|| job(connection, id)).transpose()?,
        replaced: before,
    };
    Ok((applied, wake))
}

fn apply_to(connection: &Connection, id: JobId, now: Timestamp, command: Command) -> Written<Step> {
    let Some(Numbered { number, value }) = record(connection, id)? else {
        return Err(rules::absent(id, &command));
    };
    let step = rules::apply(value, command, now)?;
    let wake = write(connection, number, id, &step, now)?;
    Ok((step, wake))
}

fn write(
    connection: &Connection,
    number: i64,
    id: JobId,
    step: &Step,
    now: Timestamp,
) -> Result<Option<Wake>, StoreError> {
    let Some(record) = &step.record else {
        connection
            .prepare_cached("DELETE FROM jobs WHERE number = ?1")?
            .execute([number])?;
        remember_deleted(connection, id)?;
        return Ok(Some(Wake {
            job: id,
            seen: None,
            delivers: false,
        }));
    };
    if step.entered.is_empty() {
        stay(connection, number, record, step, now)?;
    } else {
        enter(connection, number, record, step, now)?;
    }
    match &step.files {
        Files::Unchanged => {}
        Files::Add(file) => {
            put_file(connection, number, 0, file)?;
            claim::measure(connection, number)?;
        }
        Files::Result(outcome) => put_result(connection, number, outcome)?,
    }
    if let Some(edit) = &step.edit {
        names::put(connection, number, edit)?;
    }
    let delivers = put_events(connection, number, record, &step.events, now)?;
    if record.state.is_final() {
        thin(connection, number)?;
    }
    let seen = Seen {
        state: record.state,
        attempt: record.attempt,
    };
    let changed = !step.events.is_empty();
    Ok(changed.then_some(Wake {
        job: id,
        seen: Some(seen),
        delivers,
    }))
}

/// The hold, and how far it is. Apart from [`enter`] because these columns are in no index.
fn stay(
    connection: &Connection,
    number: i64,
    record: &Record,
    step: &Step,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE jobs SET lease_until = ?2, progress = coalesce(?3, progress), updated_at = coalesce(?4, updated_at)
         WHERE number = ?1",
    )?;
    statement.execute(params![
        number,
        record.hold.as_ref().map(|hold| micros(hold.until)),
        step.progress.map(Json),
        (!step.events.is_empty()).then(|| micros(now)),
    ])?;
    Ok(())
}

fn enter(
    connection: &Connection,
    number: i64,
    record: &Record,
    step: &Step,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE jobs SET state = ?2, attempt = ?3, charged = ?4, worker = ?5, lease_until = ?6, updated_at = ?7,
                         ended_at = ?8, failure = ?9, progress = NULL
         WHERE number = ?1",
    )?;
    let hold = record.hold.as_ref();
    statement.execute(params![
        number,
        record.state.name(),
        record.attempt,
        record.charged,
        hold.map(|hold| &hold.worker.0),
        hold.map(|hold| micros(hold.until)),
        micros(now),
        record.state.is_final().then(|| micros(now)),
        step.failure.as_ref().map(Json),
    ])?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO history (job, position, state, at, attempt)
         SELECT ?1, count(*), ?2, ?3, ?4 FROM history WHERE job = ?1",
    )?;
    for state in &step.entered {
        statement.execute(params![number, state.name(), micros(now), record.attempt])?;
    }
    Ok(())
}

/// The events, and their deliveries to the job's webhook: whether there are any.
fn put_events(
    connection: &Connection,
    number: i64,
    record: &Record,
    events: &[EventKind],
    now: Timestamp,
) -> Result<bool, StoreError> {
    if events.is_empty() {
        return Ok(false);
    }
    let webhook = outbox::webhook_of(connection, number)?;
    let mut delivers = false;
    let mut statement = connection
        .prepare_cached("INSERT INTO events (job, at, kind, thinned_by) VALUES (?1, ?2, ?3, ?4)")?;
    for event in events {
        let thinned_by = rules::thinned_by(record.attempt, event);
        statement.execute(params![number, micros(now), Json(event), thinned_by])?;
        if let Some(webhook) = &webhook
            && webhook.wants(event)
        {
            let event = JobEvent {
                seq: u64::try_from(connection.last_insert_rowid()).unwrap_or(0),
                job: record.id,
                // As it is kept and told to those who follow the job.
                at: Timestamp::from_microsecond(micros(now)).unwrap_or(now),
                kind: event.clone(),
            };
            outbox::put(connection, number, webhook, &event)?;
            delivers = true;
        }
    }
    Ok(delivers)
}

/// Bounds what a finished job leaves behind.
fn thin(connection: &Connection, number: i64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM events WHERE job = ?1 AND thinned_by IS NOT NULL AND seq NOT IN (
             SELECT max(seq) FROM events WHERE job = ?1 AND thinned_by IS NOT NULL GROUP BY thinned_by)",
    )?;
    statement.execute([number])?;
    Ok(())
}

/// Lists a file of a job; of those with one name the last.
pub(super) fn put_file(
    connection: &Connection,
    number: i64,
    position: usize,
    file: &Delivered,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO artifacts (job, name, position, artifact, key) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (job, name) DO UPDATE
         SET position = excluded.position, artifact = excluded.artifact, key = excluded.key",
    )?;
    statement.execute(params![
        number,
        file.artifact.name,
        clamped(position as u64),
        Json(&file.artifact),
        file.key.as_str()
    ])?;
    Ok(())
}

/// Lists the files of a result and what is known of it.
pub(super) fn put_result(connection: &Connection, number: i64, outcome: &Outcome) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM artifacts WHERE job = ?1")?
        .execute([number])?;
    for (position, file) in outcome.artifacts.iter().enumerate() {
        put_file(connection, number, position, file)?;
    }
    let statement = outcome.statement.as_ref();
    connection
        .prepare_cached(
            "UPDATE jobs SET made_by = ?2, notes = ?3, provenance = ?4, statement = ?5, statement_key = ?6,
                             timings = ?7, cache_key = ?8, latents = ?9
             WHERE number = ?1",
        )?
        .execute(params![
            number,
            outcome.made_by,
            Json(&outcome.notes),
            outcome.provenance.as_ref().map(Json),
            statement.map(|stated| Json(&stated.file)),
            statement.map(|stated| stated.key.as_str()),
            outcome.timings.as_ref().map(Json),
            outcome.cache_key.as_ref().map(CacheKey::as_str),
            outcome.latents.as_ref().map(Json),
        ])?;
    claim::measure(connection, number)
}
