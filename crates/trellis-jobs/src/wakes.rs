//! Wakes those who wait for a job to change, or for jobs to come.
//!
//! A hint for speed only: those who wait also look again after a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use trellis_core::{JobId, JobState};

/// Where a job stood after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The state.
    pub state: JobState,
    /// The attempt.
    pub attempt: u32,
}

/// What one change wakes.
#[derive(Debug, Clone, Copy)]
pub struct Wake {
    /// The job that changed.
    pub job: JobId,
    /// Where it stands now; `None`: it is forgotten.
    pub seen: Option<Seen>,
    /// Whether its webhook is to be told.
    pub delivers: bool,
}

/// Who waits for what. Shared by everything that reads and writes one store in this process.
#[derive(Debug)]
pub struct Wakes {
    jobs: Mutex<HashMap<JobId, watch::Sender<Option<Seen>>>>,
    queued: watch::Sender<Option<Seen>>,
    deliveries: watch::Sender<Option<Seen>>,
    elsewhere: watch::Receiver<u64>,
}

impl Wakes {
    /// `elsewhere` changes where another process changed something.
    pub fn new(elsewhere: watch::Receiver<u64>) -> Arc<Self> {
        Arc::new(Self {
            jobs: Mutex::default(),
            queued: watch::Sender::new(None),
            deliveries: watch::Sender::new(None),
            elsewhere,
        })
    }

    /// Changes of one job from now on.
    pub fn of_job(self: &Arc<Self>, job: JobId) -> Changes {
        let of = self.waiting().entry(job).or_default().subscribe();
        self.changes(of, Some(job))
    }

    /// Jobs that are queued from now on.
    pub fn of_queue(self: &Arc<Self>) -> Changes {
        self.changes(self.queued.subscribe(), None)
    }

    /// Deliveries to webhooks that are due from now on.
    pub fn of_deliveries(self: &Arc<Self>) -> Changes {
        self.changes(self.deliveries.subscribe(), None)
    }

    /// Something that wakes when it is dropped. A store drops it after the commit, also where whoever asked for
    /// the change has gone.
    pub fn when_dropped(self: &Arc<Self>, wake: Option<Wake>) -> WakeOnDrop {
        WakeOnDrop(Arc::clone(self), wake)
    }

    fn changes(self: &Arc<Self>, of: watch::Receiver<Option<Seen>>, job: Option<JobId>) -> Changes {
        let mut elsewhere = self.elsewhere.clone();
        elsewhere.mark_unchanged();
        let entry = job.map(|job| Entry(Arc::clone(self), job));
        Changes {
            of,
            elsewhere,
            _entry: entry,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<Option<Seen>>>> {
        // A hint is all that can be lost.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, Wake { job, seen, delivers }: Wake) {
        if let Some(waiting) = self.waiting().get(&job) {
            waiting.send_replace(seen);
        }
        if seen.is_some_and(|seen| seen.state == JobState::Queued) {
            self.queued.send_replace(seen);
        }
        if delivers {
            self.deliveries.send_replace(seen);
        }
    }
}

/// See [`Wakes::when_dropped`].
#[derive(Debug)]
pub struct WakeOnDrop(Arc<Wakes>, Option<Wake>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        if let Some(wake) = self.1 {
            self.0.wake(wake);
        }
    }
}

/// Changes that somebody waits for.
#[derive(Debug)]
pub struct Changes {
    // Before the entry, which counts who is left.
    of: watch::Receiver<Option<Seen>>,
    elsewhere: watch::Receiver<u64>,
    _entry: Option<Entry>,
}

impl Changes {
    /// Resolves once something changed since this was last called or made, with where the job stands, as far as
    /// that is known: what another process does is not.
    pub async fn changed(&mut self) -> Option<Seen> {
        tokio::select! {
            Ok(()) = self.of.changed() => *self.of.borrow_and_update(),
            Ok(()) = self.elsewhere.changed() => None,
            else => std::future::pending().await,
        }
    }

    /// What changed until now needs no waking any more: it is about to be looked at.
    pub fn mark_seen(&mut self) {
        self.of.mark_unchanged();
        self.elsewhere.mark_unchanged();
    }
}

/// Forgets a job for which nobody waits any more.
#[derive(Debug)]
struct Entry(Arc<Wakes>, JobId);

impl Drop for Entry {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        if waiting
            .get(&self.1)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            waiting.remove(&self.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_job_for_which_nobody_waits_is_forgotten() {
        let (elsewhere, others) = watch::channel(0);
        let wakes = Wakes::new(others);
        let job: JobId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let seen = Seen {
            state: JobState::Running,
            attempt: 1,
        };
        let told = Wake {
            job,
            seen: Some(seen),
            delivers: false,
        };
        let wake = || drop(wakes.when_dropped(Some(told)));
        let (mut one, mut two) = (wakes.of_job(job), wakes.of_job(job));
        wake();
        assert_eq!(one.changed().now_or_never(), Some(Some(seen)));
        drop(one);
        assert_eq!(two.changed().now_or_never(), Some(Some(seen)));
        wake();
        two.mark_seen();
        assert_eq!(two.changed().now_or_never(), None);
        elsewhere.send_replace(1);
        assert_eq!(two.changed().now_or_never(), Some(None));
        drop(two);
        assert!(wakes.waiting().is_empty());
        // Nobody hears it, and the store going away wakes nobody.
        wake();
        let mut late = wakes.of_job(job);
        drop(elsewhere);
        assert_eq!(late.changed().now_or_never(), None);
    }
}
