//! Writes down what the rules say. Every function runs in the transaction of its session.
//!
//! `again`: an earlier run of the same call may have been committed, and its answer lost with the connection. What the call
//! wanted is then there already, and that is the answer.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::Json;
use trellis_core::{AssetName, EventKind, Input, JobEvent, JobId, JobState};
use trellis_jobs::rules::{self, Acceptance, Command, Edit, Files, Record, Standing, Step};
use trellis_jobs::{
    Applied, BlobKey, Claim, ClaimFilter, Lease, NewJob, Seen, StoreError, Submitted, Thumbnail, Wake,
    WorkerName,
};
use uuid::Uuid;

use crate::lists::clamped;
use crate::memos::remember_deleted;
use crate::outbox;
use crate::rows::{Numbered, job, record, stored};
use crate::session::{Session, Written};
use crate::{claim, files};

/// Taken by whoever submits: what is counted is not changed by another submission before this one is committed.
const SUBMISSIONS: &str = "SELECT pg_advisory_xact_lock(hashtextextended('trellis submissions', 0))";

/// Writes the job, or finds the earlier one of the same key.
pub(crate) async fn submit(session: &Session, new: &NewJob, again: bool) -> Written<Submitted> {
    session.rows(SUBMISSIONS, &[]).await?;
    if again && record(session, new.id).await?.is_some() {
        let job = job(session, new.id).await?;
        return Ok((Submitted { job, replayed: false }, None));
    }
    let earlier = match &new.idempotency {
        Some((key, _)) => earlier(session, new, key).await?,
        None => None,
    };
    let (earlier, digest) = earlier.unzip();
    match rules::accept(new, digest.as_deref(), standing(session, new).await?)? {
        Acceptance::Replay => {
            let job = job(session, earlier.unwrap_or(new.id)).await?;
            Ok((Submitted { job, replayed: true }, None))
        }
        Acceptance::New(step) => {
            let now = session.now(new.now).await?;
            let number = insert(session, new, now).await?;
            let wake = write(session, number, new.id, &step, now).await?;
            let job = job(session, new.id).await?;
            Ok((Submitted { job, replayed: false }, wake))
        }
    }
}

/// Counts what is limited, and nothing else.
async fn standing(session: &Session, new: &NewJob) -> Result<Standing, StoreError> {
    let rights = new.owner.rights();
    let mut standing = Standing {
        queued: claim::queued(session).await?,
        ..Standing::default()
    };
    if rights.queued.is_some() || rights.kept_bytes.is_some() {
        (standing.own_queued, standing.own_kept_bytes) = claim::owned(session, &new.owner).await?;
    }
    Ok(standing)
}

async fn earlier(session: &Session, new: &NewJob, key: &str) -> Result<Option<(JobId, String)>, StoreError> {
    let found = session
        .row(
            "SELECT id, idempotency_digest FROM jobs WHERE owner = $1 AND idempotency_key = $2",
            &[&new.owner.as_str(), &key],
        )
        .await?;
    let earlier = found.map(|row| {
        let id = JobId::from(row.get::<Uuid>("id")?);
        Ok((id, row.get("idempotency_digest")?))
    });
    earlier.transpose()
}

/// The row as it is before anything happened to the job.
async fn insert(session: &Session, new: &NewJob, now: Timestamp) -> Result<i64, StoreError> {
    let (key, digest) = new.idempotency.clone().unzip();
    let name = new.name.as_ref().map(AssetName::as_str);
    let row = session
        .row(
            "INSERT INTO jobs (id, owner, state, backend, params, created_at, updated_at, idempotency_key,
                               idempotency_digest, cached, traceparent, name, name_folded, webhook, source,
                               needs, priority)
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING number",
            &[
                &Uuid::from(new.id),
                &new.owner.as_str(),
                &JobState::Queued.name(),
                &new.demand().to_string(),
                &Json(&new.params),
                &now.as_microsecond(),
                &key,
                &digest,
                &new.recalled.is_some(),
                &new.traceparent.map(String::from),
                &name,
                &name.map(str::to_lowercase),
                &new.webhook.as_ref().map(Json),
                &new.source.as_ref().map(Json),
                &new.needs.to_text(),
                &new.priority.rank(),
            ],
        )
        .await?;
    let number: i64 = row.ok_or(StoreError::NotFound { id: new.id })?.get("number")?;
    put_inputs(
        session,
        number,
        new.inputs.iter().map(|(input, key)| (input, key)),
    )
    .await?;
    files::measure(session, number).await?;
    Ok(number)
}

/// Lists the pictures of a job.
pub(crate) async fn put_inputs<'a>(
    session: &Session,
    number: i64,
    inputs: impl Iterator<Item = (&'a Input, &'a BlobKey)>,
) -> Result<(), StoreError> {
    for (position, (input, key)) in (0i64..).zip(inputs) {
        session
            .execute(
                "INSERT INTO inputs (job, position, input, key, size_bytes) VALUES ($1, $2, $3, $4, $5)",
                &[
                    &number,
                    &position,
                    &Json(input),
                    &key.as_str(),
                    &clamped(input.size_bytes),
                ],
            )
            .await?;
    }
    Ok(())
}

/// Takes the queued job whose turn it is.
pub(crate) async fn claim(
    session: &Session,
    worker: &WorkerName,
    filter: &ClaimFilter,
    now: Timestamp,
    lease: Duration,
) -> Written<Option<Claim>> {
    let Some(Numbered { number, value }) = claim::next(session, filter).await? else {
        return Ok((None, None));
    };
    let id = value.id;
    let now = session.now(now).await?;
    let command = Command::Claim {
        worker: worker.clone(),
        lease,
    };
    let step = rules::apply(value, command, now)?;
    let wake = write(session, number, id, &step, now).await?;
    let claimed = stored(session, id).await?;
    let claim = Claim {
        lease: Lease {
            job: id,
            attempt: step.record.map_or(0, |record| record.attempt),
            worker: worker.clone(),
        },
        job: claimed.job,
        inputs: claimed.inputs,
    };
    Ok((Some(claim), wake))
}

/// Does to a job what the rules say of `command`.
pub(crate) async fn apply(
    session: &Session,
    id: JobId,
    now: Timestamp,
    command: &Command,
    again: bool,
) -> Written<Applied> {
    let Some(Numbered { number, value }) = record(session, id).await? else {
        if again && matches!(command, Command::CancelOrDelete { .. } | Command::Delete) {
            return Ok((applied(None, None, None), None));
        }
        return Err(rules::absent(id, command));
    };
    if again && was_done(&value, command) {
        let job = job(session, id).await?;
        return Ok((applied(Some(value.state), Some(job), None), None));
    }
    let replaced = match command {
        Command::Edit {
            edit: Edit::Thumbnail(_),
            ..
        } => files::thumbnail(session, number).await?,
        _ => None,
    };
    let now = session.now(now).await?;
    let step = rules::apply(value, command.clone(), now)?;
    let wake = write(session, number, id, &step, now).await?;
    let entered = step.record.is_some() && !step.entered.is_empty();
    let job = if entered {
        Some(job(session, id).await?)
    } else {
        None
    };
    let state = step.record.map(|record| record.state);
    Ok((applied(state, job, replaced), wake))
}

fn applied(state: Option<JobState>, job: Option<trellis_core::Job>, replaced: Option<Thumbnail>) -> Applied {
    Applied { state, job, replaced }
}

/// Whether the job stands as the command would have it, so that an earlier run of it was committed. The attempt names the
/// lease: nobody else ended that one.
fn was_done(record: &Record, command: &Command) -> bool {
    let of_attempt = |lease: &Lease, state| record.attempt == lease.attempt && record.state == state;
    match command {
        Command::Succeed { lease, .. } => of_attempt(lease, JobState::Succeeded),
        Command::Fail { lease, .. } => of_attempt(lease, JobState::Failed),
        Command::Release { lease } => of_attempt(lease, JobState::Queued),
        Command::GiveUp { .. } => record.state == JobState::Failed,
        Command::Cancel { by } | Command::CancelOrDelete { by } => {
            record.state == JobState::Cancelled && by.sees(&record.owner)
        }
        _ => false,
    }
}

async fn write(
    session: &Session,
    number: i64,
    id: JobId,
    step: &Step,
    now: Timestamp,
) -> Result<Option<Wake>, StoreError> {
    let Some(record) = &step.record else {
        session
            .execute("DELETE FROM jobs WHERE number = $1", &[&number])
            .await?;
        remember_deleted(session, id).await?;
        return Ok(Some(Wake {
            job: id,
            seen: None,
            delivers: false,
        }));
    };
    if step.entered.is_empty() {
        stay(session, number, record, step, now).await?;
    } else {
        enter(session, number, record, step, now).await?;
    }
    match &step.files {
        Files::Unchanged => {}
        Files::Add(file) => files::add(session, number, file).await?,
        Files::Result(outcome) => files::put_result(session, number, outcome).await?,
    }
    if let Some(edit) = &step.edit {
        files::put_edit(session, number, edit).await?;
    }
    let delivers = put_events(session, number, record, &step.events, now).await?;
    if record.state.is_final() {
        thin(session, number).await?;
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
async fn stay(
    session: &Session,
    number: i64,
    record: &Record,
    step: &Step,
    now: Timestamp,
) -> Result<(), StoreError> {
    session
        .execute(
            "UPDATE jobs SET lease_until = $2, progress = coalesce($3, progress), updated_at = coalesce($4, updated_at)
             WHERE number = $1",
            &[
                &number,
                &record.hold.as_ref().map(|hold| hold.until.as_microsecond()),
                &step.progress.map(Json),
                &(!step.events.is_empty()).then(|| now.as_microsecond()),
            ],
        )
        .await?;
    Ok(())
}

async fn enter(
    session: &Session,
    number: i64,
    record: &Record,
    step: &Step,
    now: Timestamp,
) -> Result<(), StoreError> {
    let hold = record.hold.as_ref();
    let now = now.as_microsecond();
    session
        .execute(
            "UPDATE jobs SET state = $2, attempt = $3, charged = $4, worker = $5, lease_until = $6, updated_at = $7,
                             ended_at = $8, failure = $9, progress = NULL
             WHERE number = $1",
            &[
                &number,
                &record.state.name(),
                &i64::from(record.attempt),
                &i64::from(record.charged),
                &hold.map(|hold| &hold.worker.0),
                &hold.map(|hold| hold.until.as_microsecond()),
                &now,
                &record.state.is_final().then_some(now),
                &step.failure.as_ref().map(Json),
            ],
        )
        .await?;
    for state in &step.entered {
        session
            .execute(
                "INSERT INTO history (job, position, state, at, attempt)
                 SELECT $1, count(*), $2, $3, $4 FROM history WHERE job = $1",
                &[&number, &state.name(), &now, &i64::from(record.attempt)],
            )
            .await?;
    }
    Ok(())
}

/// The events, and their deliveries to the job's webhook: whether there are any.
async fn put_events(
    session: &Session,
    number: i64,
    record: &Record,
    events: &[EventKind],
    now: Timestamp,
) -> Result<bool, StoreError> {
    if events.is_empty() {
        return Ok(false);
    }
    let webhook = outbox::webhook_of(session, number).await?;
    let mut delivers = false;
    for event in events {
        let thinned_by = rules::thinned_by(record.attempt, event);
        let row = session
            .row(
                "INSERT INTO events (job, at, kind, thinned_by) VALUES ($1, $2, $3, $4) RETURNING seq",
                &[&number, &now.as_microsecond(), &Json(event), &thinned_by],
            )
            .await?;
        if let (Some(webhook), Some(row)) = (&webhook, row)
            && webhook.wants(event)
        {
            let event = JobEvent {
                seq: row.number("seq")?,
                job: record.id,
                // As it is kept and told to those who follow the job.
                at: Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now),
                kind: event.clone(),
            };
            outbox::put(session, number, webhook, &event).await?;
            delivers = true;
        }
    }
    Ok(delivers)
}

/// Bounds what a finished job leaves behind.
async fn thin(session: &Session, number: i64) -> Result<(), StoreError> {
    session
        .execute(
            "DELETE FROM events WHERE job = $1 AND thinned_by IS NOT NULL AND seq NOT IN (
                 SELECT max(seq) FROM events WHERE job = $1 AND thinned_by IS NOT NULL GROUP BY thinned_by)",
            &[&number],
        )
        .await?;
    Ok(())
}
