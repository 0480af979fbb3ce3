//! What came of a job: its file in memory, or why there is none.

use axum::http::StatusCode;
use futures::TryStreamExt as _;
use trellis_core::{FailureKind, Format, Job, JobState};
use trellis_jobs::{Jobs, Owner};

use super::detail::Refusal;

/// The bytes of the finished file of this format.
pub(super) async fn file(jobs: &Jobs, owner: &Owner, job: &Job, format: Format) -> Result<Vec<u8>, Refusal> {
    match job.state {
        JobState::Succeeded => {}
        JobState::Cancelled => {
            let said = "the job was cancelled".to_owned();
            return Err(Refusal::Sentence(StatusCode::INTERNAL_SERVER_ERROR, said));
        }
        _ => return Err(failed(job)),
    }
    let artifact = job.artifacts.iter().find(|artifact| artifact.format == format);
    let artifact = artifact.ok_or_else(|| {
        let said = format!("the result has no {format}");
        Refusal::Sentence(StatusCode::INTERNAL_SERVER_ERROR, said)
    })?;
    let found = jobs.artifact(owner, job.id, &artifact.name).await?;
    let Some(found) = found else {
        let said = "the job was deleted while its result was read".to_owned();
        return Err(Refusal::Sentence(StatusCode::INTERNAL_SERVER_ERROR, said));
    };
    let size = found.artifact.size_bytes;
    let mut parts = jobs.blobs.read(&found.key, 0..size).await?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while let Some(part) = parts.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// 422 where the picture is at fault, else 500, with the fix.
fn failed(job: &Job) -> Refusal {
    let Some(failure) = &job.failure else {
        let said = "the job failed".to_owned();
        return Refusal::Sentence(StatusCode::INTERNAL_SERVER_ERROR, said);
    };
    let status = match failure.kind {
        FailureKind::BadInput | FailureKind::NoObject | FailureKind::NoClearObject => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Refusal::Sentence(status, format!("{}; {}", failure.message, failure.fix))
}
