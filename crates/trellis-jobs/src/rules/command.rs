//! What can happen to a job.

use std::time::Duration;

use trellis_core::{Failure, Progress};

use super::edit::Edit;
use crate::{Delivered, Lease, Outcome, Owner, WorkerName};

/// Something that is to happen to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A worker takes the queued job for `lease`.
    Claim {
        /// Who.
        worker: WorkerName,
        /// For how long.
        lease: Duration,
    },
    /// Its worker is alive and keeps it for `extend`.
    Heartbeat {
        /// By which right.
        lease: Lease,
        /// For how long.
        extend: Duration,
    },
    /// Its worker says how far it is.
    Progress {
        /// By which right.
        lease: Lease,
        /// How far.
        progress: Progress,
    },
    /// A preview of the live job is there.
    Preview {
        /// The file.
        file: Delivered,
    },
    /// Its worker has the result.
    Succeed {
        /// By which right.
        lease: Lease,
        /// The result.
        outcome: Box<Outcome>,
    },
    /// Its worker gives up on it.
    Fail {
        /// By which right.
        lease: Lease,
        /// Why.
        failure: Failure,
    },
    /// No server can do the queued job, and none could for too long.
    GiveUp {
        /// Why.
        failure: Failure,
    },
    /// Its worker hands it back, uncharged.
    Release {
        /// By which right.
        lease: Lease,
    },
    /// Its server may have died: its lease has lapsed, or it is `held_by` a server that came back without it.
    Lapse {
        /// After so many charged attempts the job fails.
        max_attempts: u32,
        /// The server that came back.
        held_by: Option<WorkerName>,
        /// Whether the server lost this job alone. The death of one that worked on several is charged to none of them:
        /// nobody knows which of them it was, if any.
        alone: bool,
    },
    /// A client no longer wants the live job.
    Cancel {
        /// Who.
        by: Owner,
    },
    /// A client cancels the job where it is live and deletes it where it is finished.
    CancelOrDelete {
        /// Who.
        by: Owner,
    },
    /// A client changes what its making does not depend on.
    Edit {
        /// Who.
        by: Owner,
        /// What.
        edit: Edit,
    },
    /// The finished job need not be kept.
    Delete,
}

impl Command {
    pub(super) fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Heartbeat { lease, .. }
            | Self::Progress { lease, .. }
            | Self::Succeed { lease, .. }
            | Self::Fail { lease, .. }
            | Self::Release { lease } => Some(lease),
            _ => None,
        }
    }
}
