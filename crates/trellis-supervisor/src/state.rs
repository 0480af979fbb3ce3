//! What a worker may do next. Pure: no process, clock or channel. The driver is `driver.rs`.
//!
//! ```text
//!              spawn            hello           loaded           assigned
//!   stopped ──────────► starting ─────► loading ──────► ready ◄───────────► busy
//!      ▲                    ▲              │  lost         │ lost    ended    │ lost
//!      │ drained            │ wait over    ▼               ▼                  ▼
//!   draining ◄──────────── failed ◄────────┴───────────────┴──────────────────┘
//! ```
//!
//! Every way to lose a worker is the one event [`Event::Lost`]; a job that the worker held is then handed
//! back, so that no path forgets it.

use trellis_core::{JobId, WorkerState};

use crate::cause::Cause;

/// Where a worker stands. `failures` counts the starts that failed in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// No process, on purpose.
    Stopped,
    /// A process that has not spoken yet.
    Starting { failures: u32 },
    /// It loads its models.
    Loading { failures: u32 },
    /// It waits for a job.
    Ready,
    /// It works on a job.
    Busy(JobId),
    /// It works on its last job; then its process is replaced or not.
    Draining { job: JobId, replace: bool },
    /// No process until a wait is over.
    Failed { failures: u32 },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody wants it to run.
    Start,
    /// The process spoke, by our protocol.
    Hello,
    /// The models are there.
    Loaded,
    /// A job was taken from the queue for it.
    Assigned(JobId),
    /// The job's caller wants it stopped.
    Cancel,
    /// The worker said that the job is over; with `replace` it should not get another.
    Ended { job: JobId, replace: bool },
    /// The worker is of no use any more.
    Lost(Cause),
    /// The wait after a failure is over.
    WaitOver,
    /// Somebody wants its process replaced.
    Restart,
    /// Somebody wants it stopped.
    Drain,
}

/// What the driver is to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a process.
    Spawn,
    /// Tell it to load.
    Load,
    /// Give it the job.
    Generate(JobId),
    /// Tell it to stop the job.
    Cancel(JobId),
    /// Give the caller the end of its job, as the worker told it.
    Finish(JobId),
    /// Give the job back to its caller without an end.
    HandBack(JobId, Cause),
    /// Kill the process and everything in its group.
    Kill,
    /// Ask the process to leave, and kill it where it does not.
    Shutdown,
    /// Wait before the next start; the more failures in a row, the longer.
    Wait { failures: u32 },
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Hello => "hello",
            Self::Loaded => "loaded",
            Self::Assigned(_) => "assigned",
            Self::Cancel => "cancel",
            Self::Ended { .. } => "ended",
            Self::Lost(_) => "lost",
            Self::WaitOver => "wait_over",
            Self::Restart => "restart",
            Self::Drain => "drain",
        }
    }
}

impl State {
    /// As people see it.
    pub(crate) fn shown(&self) -> WorkerState {
        match self {
            Self::Stopped => WorkerState::Stopped,
            Self::Starting { .. } => WorkerState::Starting,
            Self::Loading { .. } => WorkerState::Loading,
            Self::Ready => WorkerState::Ready,
            Self::Busy(_) => WorkerState::Busy,
            Self::Draining { .. } => WorkerState::Draining,
            Self::Failed { .. } => WorkerState::Failed,
        }
    }

    /// The job that the worker holds.
    pub(crate) fn job(&self) -> Option<JobId> {
        match self {
            Self::Busy(job) | Self::Draining { job, .. } => Some(*job),
            _ => None,
        }
    }

    /// Whether there is a process.
    pub(crate) fn has_process(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Failed { .. })
    }

    fn fail(self, cause: Cause) -> (Self, Vec<Action>) {
        let mut actions: Vec<Action> = self
            .job()
            .map(|job| Action::HandBack(job, cause))
            .into_iter()
            .collect();
        actions.insert(0, Action::Kill);
        let failures = match self {
            Self::Stopped | Self::Failed { .. } => return (self, vec![]),
            Self::Draining { replace: false, .. } => return (Self::Stopped, actions),
            Self::Starting { failures } | Self::Loading { failures } => failures.saturating_add(1),
            // A process that dies with nothing to do would otherwise be restarted in a circle.
            Self::Ready => 1,
            Self::Busy(_) | Self::Draining { .. } => 0,
        };
        actions.push(Action::Wait { failures });
        (Self::Failed { failures }, actions)
    }
}

/// The state after an event, and what is to be done.
pub(crate) fn step(state: State, event: Event) -> (State, Vec<Action>) {
    use {Action as A, Event as E, State as S};
    match (state, event) {
        (S::Stopped, E::Start | E::Restart) | (S::Failed { .. }, E::Restart) => {
            (S::Starting { failures: 0 }, vec![A::Spawn])
        }
        (S::Failed { failures }, E::WaitOver) => (S::Starting { failures }, vec![A::Spawn]),
        (S::Starting { failures }, E::Hello) => (S::Loading { failures }, vec![A::Load]),
        (S::Loading { .. }, E::Loaded) => (S::Ready, vec![]),

        (S::Ready, E::Assigned(job)) => (S::Busy(job), vec![A::Generate(job)]),
        (S::Busy(job), E::Ended { job: ended, replace }) if job == ended => {
            if replace {
                (
                    S::Starting { failures: 0 },
                    vec![A::Finish(job), A::Shutdown, A::Spawn],
                )
            } else {
                (S::Ready, vec![A::Finish(job)])
            }
        }
        (S::Draining { job, replace }, E::Ended { job: ended, .. }) if job == ended => {
            if replace {
                (
                    S::Starting { failures: 0 },
                    vec![A::Finish(job), A::Shutdown, A::Spawn],
                )
            } else {
                (S::Stopped, vec![A::Finish(job), A::Shutdown])
            }
        }
        (state, E::Cancel) => {
            let actions = state.job().map(A::Cancel).into_iter().collect();
            (state, actions)
        }

        (S::Busy(job) | S::Draining { job, .. }, E::Restart) => (S::Draining { job, replace: true }, vec![]),
        (S::Starting { .. } | S::Loading { .. } | S::Ready, E::Restart) => {
            (S::Starting { failures: 0 }, vec![A::Shutdown, A::Spawn])
        }
        (S::Busy(job) | S::Draining { job, .. }, E::Drain) => (S::Draining { job, replace: false }, vec![]),
        (S::Stopped | S::Failed { .. }, E::Drain) => (S::Stopped, vec![]),
        (_, E::Drain) => (S::Stopped, vec![A::Shutdown]),

        (state, E::Lost(cause)) => state.fail(cause),
        // A job taken for a worker that cannot have it goes back at once.
        (state, E::Assigned(job)) => (state, vec![A::HandBack(job, Cause::NotReady)]),
        (state, E::Start | E::WaitOver) => (state, vec![]),
        (state, unexpected @ (E::Hello | E::Loaded | E::Ended { .. })) => state.fail(Cause::Unexpected {
            message: unexpected.name(),
        }),
    }
}

#[cfg(test)]
mod tests;
