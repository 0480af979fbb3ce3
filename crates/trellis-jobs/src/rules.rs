//! The rules of a job: what a command makes of it, and which commands are refused.
//!
//! Pure: record + command + time → record + what to write down. No SQL, clock or channel. A store reads the
//! record, asks [`apply`] and writes the [`Step`], all in one transaction; it decides nothing itself.

mod command;
mod edit;
mod limits;
mod turns;

use std::time::Duration;

use jiff::Timestamp;
use trellis_core::{EventKind, Failure, FailureKind, JobId, JobState, Progress, StateChange, counted};

use crate::{Delivered, Lease, NewJob, Outcome, Owner, StoreError, WorkerName};

pub use command::Command;
pub use edit::Edit;
pub use limits::Standing;
pub use turns::{MOST_PASSED_OVER, Next, Waiting, next};

/// What decides over a job's next state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The job.
    pub id: JobId,
    /// Whose it is.
    pub owner: Owner,
    /// Where it stands.
    pub state: JobState,
    /// How often it was claimed; names the lease, so it never goes back.
    pub attempt: u32,
    /// How many of the attempts count against the limit.
    pub charged: u32,
    /// Who works on it; there exactly while it runs.
    pub hold: Option<Hold>,
}

/// A worker's hold on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Who.
    pub worker: WorkerName,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

/// Which files a step lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Files {
    /// Those that are listed already.
    #[default]
    Unchanged,
    /// This one too, in the place of an earlier one of its name.
    Add(Delivered),
    /// The result, in the place of all others.
    Result(Box<Outcome>),
}

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// The job after it; `None`: the job is forgotten.
    pub record: Option<Record>,
    /// The states entered, in order. Entering one ends the progress; entering a final one ends the job, and
    /// of events with the same [`thinned_by`] only the last is kept.
    pub entered: Vec<JobState>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Files to list.
    pub files: Files,
    /// What a client changed of it.
    pub edit: Option<Edit>,
    /// What followers are told, in order. Empty: nothing changed that they are told of.
    pub events: Vec<EventKind>,
}

/// What becomes of a submission.
#[derive(Debug, Clone, PartialEq)]
pub enum Acceptance {
    /// It repeats the earlier one of its idempotency key.
    Replay,
    /// It is a new job.
    New(Box<Step>),
}

/// Accepts a new job or refuses it. `earlier`: the digest of the request that came with the same idempotency
/// key of the same owner.
pub fn accept(new: &NewJob, earlier: Option<&str>, standing: Standing) -> Result<Acceptance, StoreError> {
    if let (Some((key, digest)), Some(earlier)) = (&new.idempotency, earlier) {
        return if digest == earlier {
            Ok(Acceptance::Replay)
        } else {
            Err(StoreError::KeyReused { key: key.clone() })
        };
    }
    limits::check(new, standing)?;
    let record = Record {
        id: new.id,
        owner: new.owner.clone(),
        state: JobState::Queued,
        attempt: 0,
        charged: 0,
        hold: None,
    };
    let mut step = Step {
        entered: vec![JobState::Queued],
        events: vec![entry(&record, None)],
        ..Step::still(record.clone())
    };
    if let Some(outcome) = &new.recalled {
        let recalled = Step::enter(record, StateChange::Recall, None)?.with_result(Box::new(outcome.clone()));
        step.entered.extend(recalled.entered);
        step.events.extend(recalled.events);
        (step.record, step.files) = (recalled.record, recalled.files);
    }
    Ok(Acceptance::New(Box::new(step)))
}

/// What `command` makes of a job, or why it is refused.
pub fn apply(record: Record, command: Command, now: Timestamp) -> Result<Step, StoreError> {
    match command {
        Command::Claim { worker, lease } => {
            let taken = Record {
                attempt: record.attempt.saturating_add(1),
                charged: record.charged.saturating_add(1),
                hold: Some(Hold::until(worker, now, lease)),
                ..record
            };
            Step::enter(taken, StateChange::Claim, None)
        }
        Command::Heartbeat { lease, extend } => heartbeat(record, lease, now, extend),
        Command::Progress { lease, progress } => Ok(Step {
            progress: Some(progress),
            events: vec![EventKind::Progress(progress)],
            ..Step::still(held(record, &lease)?)
        }),
        Command::Preview { .. } if record.state.is_final() => Err(wrong_state(&record)),
        Command::Preview { file } => Ok(Step {
            events: vec![listed(&file)],
            files: Files::Add(file),
            ..Step::still(record)
        }),
        // Told again, because the first answer was lost. The attempt names the lease: nobody else ended that one.
        Command::Succeed { lease, .. }
            if record.state == JobState::Succeeded && record.attempt == lease.attempt =>
        {
            Ok(Step::still(record))
        }
        Command::Succeed { lease, outcome } => {
            let step = Step::enter(held(record, &lease)?, StateChange::Succeed, None)?;
            Ok(step.with_result(outcome))
        }
        Command::Fail { lease, failure } => {
            Step::enter(held(record, &lease)?, StateChange::Fail, Some(failure))
        }
        // A worker has it: somebody can do it after all.
        Command::GiveUp { .. } if record.state != JobState::Queued => Err(wrong_state(&record)),
        Command::GiveUp { failure } => Step::enter(record, StateChange::Fail, Some(failure)),
        Command::Release { lease } => {
            Step::enter(uncharged(held(record, &lease)?), StateChange::Requeue, None)
        }
        Command::Lapse {
            max_attempts,
            held_by,
            alone,
        } => {
            let is_lost = |hold: &Hold| hold.until <= now || Some(&hold.worker) == held_by.as_ref();
            match &record.hold {
                Some(hold) if is_lost(hold) => lapse(record, max_attempts, held_by.is_some(), alone),
                _ => Ok(Step::still(record)),
            }
        }
        Command::Cancel { by } | Command::CancelOrDelete { by } | Command::Edit { by, .. }
            if !by.sees(&record.owner) =>
        {
            Err(StoreError::NotFound { id: record.id })
        }
        Command::Edit { edit, .. } => Ok(Step {
            events: edit.told().into_iter().collect(),
            edit: Some(edit),
            ..Step::still(record)
        }),
        Command::CancelOrDelete { .. } | Command::Delete if record.state.is_final() => Ok(Step::default()),
        Command::Cancel { .. } | Command::CancelOrDelete { .. } => {
            Step::enter(record, StateChange::Cancel, None)
        }
        Command::Delete => Err(wrong_state(&record)),
    }
}

/// Why `command` is refused where there is no such job: a worker's lease is then lost, because nobody waits
/// for the result.
pub fn absent(id: JobId, command: &Command) -> StoreError {
    match command.lease() {
        Some(lease) => lost(lease),
        None => StoreError::NotFound { id },
    }
}

/// Events with the same text, if any, are overtaken by the last of them once the job has ended: one progress entry
/// for each stage of each attempt still tells how long each took, and one name is enough.
pub fn thinned_by(attempt: u32, event: &EventKind) -> Option<String> {
    match event {
        EventKind::Progress(progress) => Some(format!("{attempt}/{}", progress.stage)),
        EventKind::Renamed { .. } => Some("name".to_owned()),
        EventKind::State { .. } | EventKind::Artifact { .. } => None,
    }
}

impl Hold {
    fn until(worker: WorkerName, now: Timestamp, lease: Duration) -> Self {
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        Self { worker, until }
    }
}

impl Step {
    fn still(record: Record) -> Self {
        Self {
            record: Some(record),
            ..Self::default()
        }
    }

    /// Into the state after `change`, where the states allow that.
    fn enter(record: Record, change: StateChange, failure: Option<Failure>) -> Result<Self, StoreError> {
        let Some(state) = record.state.after(change) else {
            return Err(wrong_state(&record));
        };
        let hold = record.hold.filter(|_| state == JobState::Running);
        let record = Record {
            state,
            hold,
            ..record
        };
        Ok(Self {
            entered: vec![state],
            events: vec![entry(&record, failure.clone())],
            failure,
            ..Self::still(record)
        })
    }

    /// The files are told of before the end.
    fn with_result(mut self, outcome: Box<Outcome>) -> Self {
        let files = outcome.artifacts.iter().map(listed);
        self.events.splice(..0, files);
        self.files = Files::Result(outcome);
        self
    }
}

fn heartbeat(record: Record, lease: Lease, now: Timestamp, extend: Duration) -> Result<Step, StoreError> {
    // Its worker is told so, rather than that it lost the job.
    if record.state == JobState::Cancelled && record.attempt == lease.attempt {
        return Ok(Step::still(record));
    }
    let record = held(record, &lease)?;
    Ok(Step::still(Record {
        hold: Some(Hold::until(lease.worker, now, extend)),
        ..record
    }))
}

fn lapse(record: Record, max_attempts: u32, died: bool, alone: bool) -> Result<Step, StoreError> {
    if !alone {
        return Step::enter(uncharged(record), StateChange::Requeue, None);
    }
    if record.charged < max_attempts {
        return Step::enter(record, StateChange::Requeue, None);
    }
    let attempts = counted(record.charged.into(), "attempt", "attempts");
    let message = if died {
        format!("the server died during {attempts} at this job while working on no other")
    } else {
        format!("the server was not heard from during {attempts} at this job")
    };
    let fix =
        "check the system log for what ended the server, such as running out of memory, then submit again";
    let failure = Failure {
        fix: fix.to_owned(),
        ..Failure::new(FailureKind::WorkerLost, message)
    };
    Step::enter(record, StateChange::Fail, Some(failure))
}

/// The job, provided that the lease still holds.
fn held(record: Record, lease: &Lease) -> Result<Record, StoreError> {
    let is_holder = |hold: &Hold| hold.worker == lease.worker;
    if record.attempt == lease.attempt && record.hold.as_ref().is_some_and(is_holder) {
        Ok(record)
    } else {
        Err(lost(lease))
    }
}

fn uncharged(record: Record) -> Record {
    let charged = record.charged.saturating_sub(1);
    Record { charged, ..record }
}

fn entry(record: &Record, failure: Option<Failure>) -> EventKind {
    EventKind::State {
        state: record.state,
        attempt: record.attempt,
        failure,
    }
}

fn listed(file: &Delivered) -> EventKind {
    EventKind::Artifact {
        name: file.artifact.name.clone(),
        preview: file.artifact.preview,
    }
}

fn lost(lease: &Lease) -> StoreError {
    StoreError::LeaseLost {
        id: lease.job,
        attempt: lease.attempt,
    }
}

fn wrong_state(record: &Record) -> StoreError {
    StoreError::WrongState {
        id: record.id,
        state: record.state,
    }
}

#[cfg(test)]
mod tests;
