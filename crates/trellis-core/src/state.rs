//! The states of a job and the changes between them. Pure: who may change what is decided here once.

use serde::{Deserialize, Serialize};

use crate::named;

named! {
    /// Where a job stands.
    ///
    /// ```text
    ///   ┌───────────── recall ─────────────────┐
    ///   │        claim             succeed     ▼
    /// queued ──────────▶ running ──────────▶ succeeded
    ///   ▲ │                │ │ │    fail
    ///   │ │ cancel         │ │ └───────────▶ failed
    ///   │ └──────────────┐ │ └─────────────▶ cancelled
    ///   │                └─┼───────────────▶ cancelled
    ///   └──────────────────┘ requeue (handed back, or its worker was lost)
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum JobState: "a state of a job" {
        /// On disk, waiting for a backend.
        Queued = "queued",
        /// A backend works on it.
        Running = "running",
        /// Its artifacts are there.
        Succeeded = "succeeded",
        /// It ended without a result; `failure` says why.
        Failed = "failed",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
    }
}

/// Something that changes a job's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateChange {
    /// A backend takes it.
    Claim,
    /// Its artifacts are complete.
    Succeed,
    /// An earlier job asked the same, and its artifacts were kept.
    Recall,
    /// It cannot be done.
    Fail,
    /// Somebody does not want it any more.
    Cancel,
    /// Back to the queue: handed back by a draining server, or its worker was lost.
    Requeue,
}

impl JobState {
    /// The state after `change`, or `None` where that change is not possible.
    #[must_use]
    pub fn after(self, change: StateChange) -> Option<Self> {
        match (self, change) {
            (Self::Queued, StateChange::Claim) => Some(Self::Running),
            (Self::Running, StateChange::Succeed) | (Self::Queued, StateChange::Recall) => {
                Some(Self::Succeeded)
            }
            // A queued job fails too: its lease lapsed too often, or its backend is gone for good.
            (Self::Queued | Self::Running, StateChange::Fail) => Some(Self::Failed),
            (Self::Queued | Self::Running, StateChange::Cancel) => Some(Self::Cancelled),
            (Self::Running, StateChange::Requeue) => Some(Self::Queued),
            _ => None,
        }
    }

    /// Whether nothing changes the job any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    const CHANGES: [StateChange; 6] = [
        StateChange::Claim,
        StateChange::Succeed,
        StateChange::Recall,
        StateChange::Fail,
        StateChange::Cancel,
        StateChange::Requeue,
    ];

    #[test]
    fn table() {
        let mut table = String::new();
        for state in JobState::ALL {
            for change in CHANGES {
                let after = state.after(change).map_or("-", JobState::name);
                writeln!(table, "{:<10} {:<8} {after}", state.name(), format!("{change:?}")).unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }

    proptest! {
        #[test]
        fn nothing_leaves_a_final_state(changes in prop::collection::vec(0..CHANGES.len(), 0..40)) {
            let mut state = JobState::Queued;
            for change in changes.into_iter().map(|i| CHANGES[i]) {
                let next = state.after(change);
                prop_assert!(!(state.is_final() && next.is_some()));
                state = next.unwrap_or(state);
            }
        }
    }
}
