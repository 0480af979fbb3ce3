//! What the tests share: times, jobs, files.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use trellis_core::{
    Artifact, BackendChoice, Demand, Format, Input, InputFile, Job, JobId, JobState, ParamsPatch,
    PictureFormat, Priority, Progress, Stage, WebhookEvent,
};

use crate::{
    BlobKey, Claim, ClaimFilter, Delivered, JobStore, Needs, NewJob, Outcome, Owner, Webhook, WorkerName,
};

/// How long jobs are claimed for.
pub const LEASE: Duration = Duration::from_secs(30);

/// So many seconds after the tests' beginning of time.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// The `n`th job, submitted `n` seconds in.
pub fn new_job(n: u32) -> NewJob {
    let now = at(i64::from(n));
    let id = JobId::new(now, [7; 10]);
    let input = Input {
        file: InputFile::picture(PictureFormat::Png, 2, 3),
        size_bytes: 9,
        sha256: [0; 32].into(),
        name: None,
    };
    NewJob {
        id,
        owner: Owner::default(),
        now,
        backend: BackendChoice::Auto,
        priority: Priority::Normal,
        name: None,
        source: None,
        params: ParamsPatch::default().resolve(n).unwrap(),
        inputs: vec![(input, BlobKey::input(id, 0))],
        idempotency: None,
        queue_limit: 1_000,
        traceparent: None,
        webhook: None,
        needs: Needs::default(),
        recalled: None,
    }
}

/// A webhook at that host.
pub fn webhook(host: &str, events: &[WebhookEvent]) -> Webhook {
    Webhook {
        url: format!("https://{host}/hook?token=secret"),
        host: host.to_owned(),
        shown: format!("https://{host}/hook"),
        events: events.to_vec(),
    }
}

/// A worker.
pub fn worker(name: &str) -> WorkerName {
    WorkerName(name.to_owned())
}

/// Takes any job.
pub fn every_choice() -> ClaimFilter {
    ClaimFilter::of(Demand::all())
}

/// Claims the oldest job.
pub async fn claim(store: &dyn JobStore, name: &str, seconds: i64) -> Option<Claim> {
    store
        .claim(&worker(name), &every_choice(), at(seconds), LEASE)
        .await
        .unwrap()
}

/// A finished file or a preview.
pub fn file(job: JobId, attempt: u32, preview: bool) -> Delivered {
    let name = if preview { "preview.glb" } else { "model.glb" };
    Delivered {
        artifact: Artifact {
            name: name.to_owned(),
            format: Format::Glb,
            media_type: Format::Glb.media_type().to_owned(),
            size_bytes: 4,
            sha256: [0x11; 32].into(),
            preview,
        },
        key: BlobKey::artifact(job, attempt, name),
    }
}

/// The result of a claimed job.
pub fn outcome(claim: &Claim) -> Outcome {
    outcome_of(claim.lease.job, claim.lease.attempt)
}

/// The result of an attempt.
pub fn outcome_of(job: JobId, attempt: u32) -> Outcome {
    Outcome {
        made_by: "relief".to_owned(),
        artifacts: vec![file(job, attempt, false)],
        notes: vec!["one view is used".to_owned()],
        timings: None,
        provenance: None,
        statement: None,
        latents: None,
        cache_key: None,
    }
}

/// How far it is.
pub fn step(step: u32) -> Progress {
    Progress {
        stage: Stage::SparseStructure,
        step,
        total: 12,
    }
}

/// Each state that the job was in, with its attempt.
pub(super) fn states(job: &Job) -> Vec<(JobState, u32)> {
    job.history
        .iter()
        .map(|entry| (entry.state, entry.attempt))
        .collect()
}
