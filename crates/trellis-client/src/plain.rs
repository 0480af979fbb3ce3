//! What a server says of jobs and workers, made fit to be shown and used: one line each, no control characters, and
//! names of files that lead nowhere else.

use trellis_core::{Failure, Job, WorkerStatus, file_size, is_plain_name, plain_line};

use crate::error::ClientError;
use crate::limits::{ENTRIES, MAX_FILE_BYTES, NAME, SENTENCE};

/// A job whose words may be shown and whose files may be asked for.
pub(crate) fn plain_job(mut job: Job) -> Result<Job, ClientError> {
    let unsafe_name = |name: &str| ClientError::NotUnderstood {
        server: None,
        reason: format!("the job has a file named `{}`", plain_line(name, NAME)),
    };
    for artifact in &job.artifacts {
        if !is_plain_name(&artifact.name) {
            return Err(unsafe_name(&artifact.name));
        }
        if artifact.size_bytes > MAX_FILE_BYTES {
            return Err(ClientError::NotUnderstood {
                server: None,
                reason: format!("`{}` has {}", artifact.name, file_size(artifact.size_bytes)),
            });
        }
    }
    if let Some(statement) = &mut job.statement {
        if !is_plain_name(&statement.name) {
            return Err(unsafe_name(&statement.name));
        }
        statement.signed_by = statement.signed_by.as_deref().map(|key| plain_line(key, NAME));
    }
    job.made_by = job.made_by.map(|name| plain_line(&name, NAME));
    job.failure = job.failure.as_ref().map(plain_failure);
    job.notes.truncate(ENTRIES);
    job.notes
        .iter_mut()
        .for_each(|note| *note = plain_line(note, SENTENCE));
    Ok(job)
}

fn plain_failure(failure: &Failure) -> Failure {
    Failure {
        kind: failure.kind,
        message: plain_line(&failure.message, SENTENCE),
        fix: plain_line(&failure.fix, SENTENCE),
    }
}

pub(crate) fn plain_workers(mut workers: Vec<WorkerStatus>) -> Vec<WorkerStatus> {
    workers.truncate(ENTRIES);
    for worker in &mut workers {
        worker.name = plain_line(&worker.name, NAME);
        worker.reason = plain_line(&worker.reason, SENTENCE);
        worker.failure = worker.failure.as_ref().map(plain_failure);
        worker.gpu_name = worker.gpu_name.as_deref().map(|name| plain_line(name, NAME));
        worker.versions.truncate(ENTRIES);
    }
    workers
}
