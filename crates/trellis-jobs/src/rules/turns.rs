//! Whose turn it is among the jobs that wait.

use trellis_core::JobId;

use crate::{Owner, RunningLimits};

/// A queued job that could be claimed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub id: JobId,
    /// The order of submission.
    pub number: i64,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it was claimed before, by a server that died or handed it back.
    pub again: bool,
    /// When its owner was last served in this queue: the larger, the later; 0: never.
    pub turn: u64,
    /// How many of its owner's jobs run; looked at where the owner has a limit.
    pub running: u64,
}

/// Which of the jobs that wait is claimed next. `waiting` holds the oldest of each owner, at least, and each that waits
/// again. Those come first: what a server died of is found out before anything else is begun. Then the owners take
/// turns: the one who was served the longest ago is next, so that an owner with many jobs keeps nobody waiting for more
/// than one of them.
pub fn next(waiting: Vec<Waiting>, limits: &RunningLimits) -> Option<Waiting> {
    let may_run = |waiting: &Waiting| {
        let limit = limits.get(waiting.owner.as_str());
        limit.is_none_or(|limit| waiting.running < *limit)
    };
    let order = |waiting: &Waiting| match waiting {
        Waiting {
            again: true, number, ..
        } => (false, 0, *number),
        Waiting { turn, number, .. } => (true, *turn, *number),
    };
    waiting.into_iter().filter(may_run).min_by_key(order)
}
