//! Rows of jobs to values. A job is read with all that belongs to it in one statement, so that it is of one moment.

use serde::de::DeserializeOwned;
use trellis_core::{
    Artifact, AssetName, Demand, Input, Job, JobId, JobState, JobWebhook, Priority, Transition,
};
use trellis_jobs::rules::{Hold, Record};
use trellis_jobs::{
    BlobKey, CacheKey, Latents, Owner, StoreError, StoredJob, Thumbnail, Webhook, WorkerName,
};
use uuid::Uuid;

use crate::error::odd;
use crate::session::{Found, Session};

/// What is read of a job; the table is `jobs`. What belongs to it comes as one JSON list each.
pub(crate) const JOB: &str = "
    jobs.id, jobs.owner, jobs.state, jobs.backend, jobs.created_at, jobs.updated_at, jobs.attempt, jobs.made_by,
    jobs.source, jobs.params, jobs.progress, jobs.failure, jobs.notes, jobs.provenance, jobs.statement,
    jobs.statement_key, jobs.timings, jobs.cached, jobs.cache_key, jobs.traceparent, jobs.name, jobs.thumbnail,
    jobs.webhook, jobs.webhook_state, jobs.webhook_problem, jobs.latents, jobs.priority,
    (SELECT coalesce(json_agg(json_build_array(input, key) ORDER BY position), '[]')
     FROM inputs WHERE inputs.job = jobs.number) AS inputs,
    (SELECT coalesce(json_agg(json_build_array(artifact, key) ORDER BY position, artifacts.name), '[]')
     FROM artifacts WHERE artifacts.job = jobs.number) AS artifacts,
    (SELECT coalesce(json_agg(json_build_array(history.state, at, history.attempt) ORDER BY position), '[]')
     FROM history WHERE history.job = jobs.number) AS history";

/// The job with where its files are.
pub(crate) async fn stored(session: &Session, id: JobId) -> Result<StoredJob, StoreError> {
    let found = session
        .row(
            &format!("SELECT {JOB} FROM jobs WHERE id = $1"),
            &[&Uuid::from(id)],
        )
        .await?;
    job_row(&found.ok_or(StoreError::NotFound { id })?)
}

/// The job as clients see it.
pub(crate) async fn job(session: &Session, id: JobId) -> Result<Job, StoreError> {
    Ok(stored(session, id).await?.job)
}

/// A job and all that belongs to it, from a row of [`JOB`].
pub(crate) fn job_row(row: &Found) -> Result<StoredJob, StoreError> {
    let id = JobId::from(row.get::<Uuid>("id")?);
    let webhook: Option<Webhook> = row.json_or_none("webhook")?;
    let thumbnail: Option<Thumbnail> = row.json_or_none("thumbnail")?;
    let latents: Option<Latents> = row.json_or_none("latents")?;
    let (inputs, input_keys) = files::<Input>(row, "inputs")?;
    let (artifacts, artifact_keys) = files::<Artifact>(row, "artifacts")?;
    let job = Job {
        id,
        owner: None,
        state: row.parsed("state")?,
        name: row.get::<Option<String>>("name")?.map(AssetName::from),
        backend: row.parsed::<Demand>("backend")?.backend(),
        priority: Priority::from_rank(row.get("priority")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        attempt: row.number("attempt")?,
        made_by: row.get("made_by")?,
        source: row.json_or_none("source")?,
        params: row.json("params")?,
        progress: row.json_or_none("progress")?,
        failure: row.json_or_none("failure")?,
        waits_for: None,
        notes: row.json("notes")?,
        provenance: row.json_or_none("provenance")?,
        statement: row.json_or_none("statement")?,
        latents: latents.as_ref().map(Latents::shown),
        timings: row.json_or_none("timings")?,
        cached: row.get("cached")?,
        // It was valid when it was kept, and is not worth a job that cannot be read.
        traceparent: row
            .get::<Option<&str>>("traceparent")?
            .and_then(|text| text.parse().ok()),
        webhook: shown(row, webhook.as_ref())?,
        thumbnail: thumbnail.as_ref().map(|_| format!("/v1/jobs/{id}/thumbnail")),
        inputs,
        artifacts,
        history: history(row)?,
    };
    Ok(StoredJob {
        job,
        owner: Owner::named(row.get("owner")?),
        inputs: input_keys,
        artifacts: artifact_keys,
        statement: row
            .get::<Option<String>>("statement_key")?
            .map(BlobKey::from_stored),
        thumbnail,
        latents,
        cache_key: row.get::<Option<String>>("cache_key")?.map(CacheKey::from_stored),
        webhook,
    })
}

fn shown(row: &Found, webhook: Option<&Webhook>) -> Result<Option<JobWebhook>, StoreError> {
    let Some(webhook) = webhook else { return Ok(None) };
    Ok(Some(JobWebhook {
        url: webhook.shown.clone(),
        events: webhook.events.clone(),
        // One that a later version has is not worth a job that cannot be read.
        state: row
            .get::<Option<&str>>("webhook_state")?
            .and_then(|name| name.parse().ok()),
        problem: row.get("webhook_problem")?,
    }))
}

fn files<T: DeserializeOwned>(row: &Found, column: &str) -> Result<(Vec<T>, Vec<BlobKey>), StoreError> {
    let files: Vec<(T, String)> = row.json(column)?;
    Ok(files
        .into_iter()
        .map(|(file, key)| (file, BlobKey::from_stored(key)))
        .unzip())
}

fn history(row: &Found) -> Result<Vec<Transition>, StoreError> {
    let entries: Vec<(String, i64, u32)> = row.json("history")?;
    let entries = entries.into_iter().map(|(state, at, attempt)| {
        Ok(Transition {
            state: state.parse().map_err(odd)?,
            at: jiff::Timestamp::from_microsecond(at).map_err(odd)?,
            attempt,
        })
    });
    entries.collect()
}

/// A value of a job and the job's number.
pub(crate) struct Numbered<T> {
    pub(crate) number: i64,
    pub(crate) value: T,
}

/// What the rules want to know of a job.
pub(crate) const RECORD: &str = "number, id, owner, state, attempt, charged, worker, lease_until";

/// What the rules want to know of a job, where there is one. Nobody else changes it until the transaction ends.
pub(crate) async fn record(session: &Session, id: JobId) -> Result<Option<Numbered<Record>>, StoreError> {
    let found = session
        .row(
            &format!("SELECT {RECORD} FROM jobs WHERE id = $1 FOR UPDATE"),
            &[&Uuid::from(id)],
        )
        .await?;
    found.as_ref().map(record_row).transpose()
}

/// The same from a row of [`RECORD`].
pub(crate) fn record_row(row: &Found) -> Result<Numbered<Record>, StoreError> {
    let hold = match row.get::<Option<String>>("worker")? {
        Some(worker) => Some(Hold {
            worker: WorkerName(worker),
            until: row.time("lease_until")?,
        }),
        None => None,
    };
    let state: JobState = row.parsed("state")?;
    Ok(Numbered {
        number: row.get("number")?,
        value: Record {
            id: JobId::from(row.get::<Uuid>("id")?),
            owner: Owner::named(row.get("owner")?),
            state,
            attempt: row.number("attempt")?,
            charged: row.number("charged")?,
            hold,
        },
    })
}
