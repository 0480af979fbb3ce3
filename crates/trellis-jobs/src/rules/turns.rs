//! Whose turn it is among the jobs that wait.
//!
//! Owners take turns, whatever the priorities of their jobs are. A priority decides which job an owner's turn goes to.

use trellis_core::{JobId, Priority};

use crate::{Owner, RunningLimits};

/// So often the oldest job of a priority is passed over by jobs that came later; then it goes before all that came later. A
/// job that waits behind `n` older ones of its owner is therefore claimed within `4 * (n + 1)` of its owner's turns, of those
/// in which it could have been: each of them goes to an older job, to itself, or is one of three that pass over the oldest
/// job of its priority. Which jobs that is may differ from server to server, which is why each job counts for itself and
/// whoever passes over it counts, also an overdue job of a lower priority.
pub const MOST_PASSED_OVER: u32 = 3;

/// A queued job that could be claimed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub id: JobId,
    /// The order of submission.
    pub number: i64,
    /// Whose it is.
    pub owner: Owner,
    /// How urgent it is among its owner's.
    pub priority: Priority,
    /// How often it was passed over.
    pub passed_over: u32,
    /// Whether it was claimed before, by a server that died or handed it back.
    pub again: bool,
    /// When its owner was last served in this queue: the larger, the later; 0: never.
    pub turn: u64,
    /// How many of its owner's jobs run; looked at where the owner has a limit.
    pub running: u64,
}

/// What is claimed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The job.
    pub job: Waiting,
    /// The numbers of the jobs that are passed over once more by that.
    pub passes_over: Vec<i64>,
}

/// Which of the jobs that wait is claimed next. `waiting` holds of each owner the oldest of each priority, at least, and
/// each that waits again. Those come first: what a server died of is found out before anything else is begun. Then the
/// owners take turns: the one who was served the longest ago is next, so that an owner with many jobs keeps nobody waiting
/// for more than one of them. Of that owner's jobs the most urgent one is next, and of several the oldest, unless one was
/// passed over [`MOST_PASSED_OVER`] times: then the oldest such.
pub fn next(mut waiting: Vec<Waiting>, limits: &RunningLimits) -> Option<Next> {
    waiting.retain(|waiting| {
        let limit = limits.get(waiting.owner.as_str());
        limit.is_none_or(|limit| waiting.running < *limit)
    });
    let again = waiting.iter().filter(|waiting| waiting.again);
    if let Some(again) = again.min_by_key(|waiting| waiting.number) {
        return Some(Next {
            job: again.clone(),
            passes_over: Vec::new(),
        });
    }
    // Not by its most urgent job: who was never served comes in the order of submission.
    let first = waiting
        .iter()
        .min_by_key(|waiting| (waiting.turn, waiting.number))?;
    let own = |waiting: &&Waiting| waiting.owner == first.owner;
    let oldest = |priority| {
        let alike = waiting
            .iter()
            .filter(own)
            .filter(|waiting| waiting.priority == priority);
        alike.min_by_key(|waiting| waiting.number)
    };
    let oldest: Vec<&Waiting> = Priority::ALL.into_iter().filter_map(oldest).collect();
    let overdue = oldest.iter().filter(|job| job.passed_over >= MOST_PASSED_OVER);
    let job = *overdue.min_by_key(|job| job.number).or(oldest.last())?;
    let older = oldest.iter().filter(|other| other.number < job.number);
    Some(Next {
        job: job.clone(),
        passes_over: older.map(|other| other.number).collect(),
    })
}

#[cfg(test)]
mod tests;
