//! Refuses submissions to a full queue before their bodies are read.
//!
//! Whether a job finds a place is the job service's to say, once it is known what the body asks for: an earlier result
//! needs none. But once the queue was full, the next requests are likely surplus, and reading a gigabyte of pictures
//! to refuse them would be the heaviest work there is. So from then on only as many bodies are read as there are
//! places, until half of the queue is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::http::HeaderMap;
use trellis_jobs::{Jobs, StoreError, SubmitError};

/// Whether the queue was full lately, and how many submissions are on their way to it.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    full: AtomicBool,
    coming: Arc<AtomicU64>,
}

/// A submission on its way, until this is dropped.
#[must_use = "it counts while it is kept"]
pub(crate) struct Coming(Arc<AtomicU64>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Crowd {
    /// Notes what became of a submission.
    pub(crate) fn note(&self, error: &SubmitError) {
        if let SubmitError::Store(StoreError::QueueFull { .. }) = error {
            self.full.store(true, Ordering::Relaxed);
        }
    }
}

/// Fails where a submission would find no place. One with an idempotency key is read all the same: its job may be
/// there already.
pub(crate) async fn pass(crowd: &Crowd, jobs: &Jobs, headers: &HeaderMap) -> Result<Coming, StoreError> {
    let before = crowd.coming.fetch_add(1, Ordering::Relaxed);
    let coming = Coming(Arc::clone(&crowd.coming));
    if !crowd.full.load(Ordering::Relaxed) || headers.contains_key("idempotency-key") {
        return Ok(coming);
    }
    let limit = jobs.limits.queue_limit;
    let queued = jobs.stats().await?.queued + before;
    if queued >= limit {
        return Err(StoreError::QueueFull { queued, limit });
    }
    if queued < limit.div_ceil(2) {
        crowd.full.store(false, Ordering::Relaxed);
    }
    Ok(coming)
}
