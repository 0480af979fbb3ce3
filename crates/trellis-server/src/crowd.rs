//! Refuses submissions to a full queue before their bodies are read.
//!
//! Whether a job finds a place is the job service's to say, once it is known what the body asks for: an earlier result
//! needs none. But once the queue was full, the next requests are likely surplus, and reading a gigabyte of pictures
//! to refuse them would be the heaviest work there is. So from then on the queue is looked at first, until it has room.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use trellis_jobs::{Jobs, StoreError, SubmitError};

/// Whether the queue was full when it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Crowd(AtomicBool);

impl Crowd {
    /// Notes what became of a submission.
    pub(crate) fn note(&self, error: &SubmitError) {
        if let SubmitError::Store(StoreError::QueueFull { .. }) = error {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Fails where a submission would find the queue full. One with an idempotency key is read all the same: its job may
/// be there already.
pub(crate) async fn pass(crowd: &Crowd, jobs: &Jobs, headers: &HeaderMap) -> Result<(), StoreError> {
    let crowd = &crowd.0;
    if !crowd.load(Ordering::Relaxed) || headers.contains_key("idempotency-key") {
        return Ok(());
    }
    let queued = jobs.stats().await?.queued;
    let limit = jobs.limits.queue_limit;
    if queued >= limit {
        return Err(StoreError::QueueFull { queued, limit });
    }
    crowd.store(false, Ordering::Relaxed);
    Ok(())
}
