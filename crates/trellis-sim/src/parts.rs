//! Jobs and GPUs. Times are counted from the beginning.

use std::time::Duration;

use trellis_core::{Demand, Priority};
use trellis_jobs::{Ability, Needs};

/// What jobs ask for and need, as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Backend and model.
    pub demand: Demand,
    /// What else.
    pub needs: Needs,
}

/// GPUs that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// How many.
    pub gpus: usize,
    /// What they serve.
    pub demands: Vec<Demand>,
    /// What they can do.
    pub ability: Ability,
}

/// A job as it comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// When it is accepted.
    pub at: Duration,
    /// Whose it is, by number.
    pub owner: usize,
    /// Which of the kinds, by number.
    pub kind: usize,
    /// How urgent it is among its owner's.
    pub priority: Priority,
    /// How long a GPU works on it.
    pub takes: Duration,
}

/// The beginning of the work on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// When.
    pub at: Duration,
    /// The pool whose GPU it is.
    pub pool: usize,
}

impl Started {
    /// How long the job waited that came at `came`.
    pub fn waited(&self, came: Duration) -> Duration {
        self.at.saturating_sub(came)
    }
}

impl Pool {
    /// Whether its GPUs take such jobs.
    pub fn takes(&self, kind: &Kind) -> bool {
        self.demands.contains(&kind.demand) && self.ability.meets(&kind.needs)
    }
}
