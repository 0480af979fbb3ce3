//! What may be submitted, beside what there is already.

use crate::{NewJob, StoreError};

/// What there is when a job is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// How many jobs wait.
    pub queued: u64,
    /// How many of them are its owner's; looked at where the owner has a limit.
    pub own_queued: u64,
    /// What its owner's jobs keep; looked at where the owner has a limit.
    pub own_kept_bytes: u64,
}

/// Refuses a job that is one too many.
pub(super) fn check(new: &NewJob, standing: Standing) -> Result<(), StoreError> {
    let rights = new.owner.rights();
    let own_queued = standing.own_queued;
    // A job that is done at once does not wait.
    let waits = new.recalled.is_none();
    // The client hears of its own limit first: that one it can do something about.
    if let Some(limit) = rights.queued.filter(|limit| waits && own_queued >= *limit) {
        return Err(StoreError::OwnQueueFull {
            queued: own_queued,
            limit,
        });
    }
    if waits && standing.queued >= new.queue_limit {
        return Err(StoreError::QueueFull {
            queued: standing.queued,
            limit: new.queue_limit,
        });
    }
    let pictures: u64 = new.inputs.iter().map(|(input, _)| input.size_bytes).sum();
    let kept_bytes = standing.own_kept_bytes;
    match rights.kept_bytes {
        Some(limit_bytes) if kept_bytes.saturating_add(pictures) > limit_bytes => {
            Err(StoreError::OwnStorageFull {
                kept_bytes,
                limit_bytes,
            })
        }
        _ => Ok(()),
    }
}
