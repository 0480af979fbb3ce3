//! After the server died: whatever it was working on is worked on again one job at a time, with no other beside it.
//!
//! A death with several jobs at work is charged to none of them (`trellis_jobs::rules`). Alone, the job that kills the
//! server is found out and given up, and the others get done. Known to this process only: after the next death the
//! jobs of that one are the suspects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use trellis_core::{Demand, JobId};

/// The jobs that were at work when the server died, until each has had its turn.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    jobs: Mutex<HashMap<JobId, Demand>>,
    turns: Arc<RwLock<()>>,
}

/// The right to claim a job and to work on it, until this is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "the guards hold by being there")]
pub(crate) enum Turn {
    /// Beside others.
    Beside(OwnedRwLockReadGuard<()>),
    /// With no other job at work.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Suspects {
    /// From now on this job is a suspect.
    pub(crate) fn add(&self, job: JobId, demand: Demand) {
        self.jobs().insert(job, demand);
    }

    /// It had its turn.
    pub(crate) fn acquit(&self, job: JobId) {
        self.jobs().remove(&job);
    }

    /// Waits for a turn to claim one of `demands`: alone, where a suspect may be among them.
    pub(crate) async fn turn(&self, demands: &[Demand]) -> Turn {
        let turns = Arc::clone(&self.turns);
        if self.any_of(demands) {
            Turn::Alone(turns.write_owned().await)
        } else {
            Turn::Beside(turns.read_owned().await)
        }
    }

    /// The turn for what was claimed with it. Jobs that were begun before come first in the queue: where another job was
    /// claimed, or none, those of `demands` are not waiting any more.
    pub(crate) fn settle(&self, turn: Turn, demands: &[Demand], claimed: Option<JobId>) -> Turn {
        let mut jobs = self.jobs();
        match turn {
            Turn::Alone(alone) if !claimed.is_some_and(|job| jobs.contains_key(&job)) => {
                jobs.retain(|_, demand| !demands.contains(demand));
                Turn::Beside(alone.downgrade())
            }
            turn => turn,
        }
    }

    fn any_of(&self, demands: &[Demand]) -> bool {
        self.jobs().values().any(|demand| demands.contains(demand))
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Demand>> {
        // Whole after each call.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
