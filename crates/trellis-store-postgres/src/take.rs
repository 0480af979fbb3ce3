//! Writes a job as it was in another store, and reads jobs for one.

use tokio_postgres::types::Json;
use trellis_core::{AssetName, EventKind, JobId, JobState};
use trellis_jobs::{CacheKey, StoreError, StoredJob, WholeJob};
use uuid::Uuid;

use crate::lists::clamped;
use crate::rows::{record, stored};
use crate::session::Session;
use crate::{files, write};

/// Writes the job, unless there is one of its name: `false`.
pub(crate) async fn take(session: &Session, job: &WholeJob) -> Result<bool, StoreError> {
    let stored = &job.stored;
    if record(session, stored.job.id).await?.is_some() {
        return Ok(false);
    }
    let number = insert(session, job).await?;
    write::put_inputs(session, number, stored.job.inputs.iter().zip(&stored.inputs)).await?;
    put_listed(session, number, stored).await?;
    put_history(session, number, stored).await?;
    Ok(true)
}

async fn insert(session: &Session, whole: &WholeJob) -> Result<i64, StoreError> {
    let StoredJob { job, owner, .. } = &whole.stored;
    let mut idempotency = whole.idempotency.clone();
    if let Some((key, _)) = &idempotency {
        let taken = "SELECT 1 AS taken FROM jobs WHERE owner = $1 AND idempotency_key = $2";
        if session.row(taken, &[&owner.as_str(), key]).await?.is_some() {
            idempotency = None;
        }
    }
    let (key, digest) = idempotency.unzip();
    let name = job.name.as_ref().map(AssetName::as_str);
    let ended_at = job.state.is_final().then(|| job.updated_at.as_microsecond());
    let row = session
        .row(
            "INSERT INTO jobs (id, owner, state, backend, params, created_at, updated_at, ended_at, idempotency_key,
                               idempotency_digest, cached, traceparent, name, name_folded, webhook, source, needs,
                               attempt, charged, failure, priority)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
             RETURNING number",
            &[
                &Uuid::from(job.id),
                &owner.as_str(),
                &job.state.name(),
                &job.demand().to_string(),
                &Json(&job.params),
                &job.created_at.as_microsecond(),
                &job.updated_at.as_microsecond(),
                &ended_at,
                &key,
                &digest,
                &job.cached,
                &job.traceparent.map(String::from),
                &name,
                &name.map(str::to_lowercase),
                &whole.stored.webhook.as_ref().map(Json),
                &job.source.as_ref().map(Json),
                &whole.needs,
                &i64::from(job.attempt),
                &i64::from(whole.charged),
                &job.failure.as_ref().map(Json),
                &job.priority.rank(),
            ],
        )
        .await?;
    row.ok_or(StoreError::NotFound { id: job.id })?.get("number")
}

/// The files that it lists, and what is known of them.
async fn put_listed(session: &Session, number: i64, stored: &StoredJob) -> Result<(), StoreError> {
    let job = &stored.job;
    for (position, (artifact, key)) in (0i64..).zip(job.artifacts.iter().zip(&stored.artifacts)) {
        files::put(session, number, position, artifact, key).await?;
    }
    let webhook = job.webhook.as_ref();
    session
        .execute(
            "UPDATE jobs SET made_by = $2, notes = $3, provenance = $4, statement = $5, statement_key = $6,
                             statement_bytes = $7, timings = $8, cache_key = $9, thumbnail = $10, thumbnail_bytes = $11,
                             webhook_state = $12, webhook_problem = $13, latents = $14,
                             latent_bytes = $15
             WHERE number = $1",
            &[
                &number,
                &job.made_by,
                &Json(&job.notes),
                &job.provenance.as_ref().map(Json),
                &job.statement.as_ref().map(Json),
                &stored.statement.as_ref().map(trellis_jobs::BlobKey::as_str),
                &job.statement.as_ref().map_or(0, |file| clamped(file.size_bytes)),
                &job.timings.as_ref().map(Json),
                &stored.cache_key.as_ref().map(CacheKey::as_str),
                &stored.thumbnail.as_ref().map(Json),
                &stored.thumbnail.as_ref().map_or(0, |small| clamped(small.size_bytes)),
                &webhook.and_then(|webhook| webhook.state).map(trellis_core::WebhookState::name),
                &webhook.and_then(|webhook| webhook.problem.clone()),
                &stored.latents.as_ref().map(Json),
                &stored.latents.as_ref().map_or(0, |latents| clamped(latents.size_bytes)),
            ],
        )
        .await?;
    files::measure(session, number).await
}

/// The states it went through, and the events that tell of them and of its files.
async fn put_history(session: &Session, number: i64, stored: &StoredJob) -> Result<(), StoreError> {
    let job = &stored.job;
    for (position, entered) in (0i64..).zip(&job.history) {
        let at = entered.at.as_microsecond();
        session
            .execute(
                "INSERT INTO history (job, position, state, at, attempt) VALUES ($1, $2, $3, $4, $5)",
                &[
                    &number,
                    &position,
                    &entered.state.name(),
                    &at,
                    &i64::from(entered.attempt),
                ],
            )
            .await?;
        let mut events = Vec::new();
        if entered.state == JobState::Succeeded {
            events.extend(job.artifacts.iter().map(|artifact| EventKind::Artifact {
                name: artifact.name.clone(),
                preview: artifact.preview,
            }));
        }
        events.push(EventKind::State {
            state: entered.state,
            attempt: entered.attempt,
            failure: job.failure.clone().filter(|_| entered.state == job.state),
        });
        for event in events {
            session
                .execute(
                    "INSERT INTO events (job, at, kind) VALUES ($1, $2, $3)",
                    &[&number, &at, &Json(&event)],
                )
                .await?;
        }
    }
    Ok(())
}

/// At most `limit` jobs after that number, each with its own.
pub(crate) async fn wholes(
    session: &Session,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, WholeJob)>, StoreError> {
    let rows = session
        .rows(
            "SELECT number, id, idempotency_key, idempotency_digest, charged, needs FROM jobs
             WHERE number > $1 ORDER BY number LIMIT $2",
            &[&after, &i64::from(limit)],
        )
        .await?;
    let mut jobs = Vec::new();
    for row in &rows {
        let id = JobId::from(row.get::<Uuid>("id")?);
        let key: Option<String> = row.get("idempotency_key")?;
        let whole = WholeJob {
            stored: stored(session, id).await?,
            idempotency: key.zip(row.get("idempotency_digest")?),
            charged: row.number("charged")?,
            needs: row.get("needs")?,
        };
        jobs.push((row.get("number")?, whole));
    }
    Ok(jobs)
}
