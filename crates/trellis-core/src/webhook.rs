//! What a job's webhook is told of, and how a job shows its webhook.
//!
//! Not here: the address itself and its rules (trellis-webhook), and the deliveries that wait (trellis-jobs).

use serde::{Deserialize, Serialize};

use crate::{EventKind, JobState, named};

named! {
    /// What a webhook can be told of.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum WebhookEvent: "an event of a webhook" {
        /// The job waits, at first or again.
        Queued = "queued",
        /// A backend works on it.
        Running = "running",
        /// Work went on.
        Progress = "progress",
        /// A file became available.
        Artifact = "artifact",
        /// The job was given another name.
        Renamed = "renamed",
        /// The job has its result.
        Succeeded = "succeeded",
        /// It ended without a result.
        Failed = "failed",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
    }
}

impl WebhookEvent {
    /// What a webhook is told of by default: how the job ended.
    pub const FINAL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The event that such an entry of a job's history is.
    pub fn of(kind: &EventKind) -> Self {
        match kind {
            EventKind::State { state, .. } => match state {
                JobState::Queued => Self::Queued,
                JobState::Running => Self::Running,
                JobState::Succeeded => Self::Succeeded,
                JobState::Failed => Self::Failed,
                JobState::Cancelled => Self::Cancelled,
            },
            EventKind::Progress(_) => Self::Progress,
            EventKind::Artifact { .. } => Self::Artifact,
            EventKind::Renamed { .. } => Self::Renamed,
        }
    }

    /// Whether it is how a job ended. Only such an event is sent again where it did not arrive.
    pub fn is_final(self) -> bool {
        Self::FINAL.contains(&self)
    }
}

named! {
    /// What became of the delivery of a job's end.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum WebhookState: "a state of a webhook" {
        /// It is on its way, or waits to be sent again.
        Pending = "pending",
        /// The receiver took it.
        Delivered = "delivered",
        /// It was sent for a day in vain, or the receiver said that it is gone.
        GivenUp = "given_up",
    }
}

/// A job's webhook as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobWebhook {
    /// Where it is, without the query, which may hold a secret.
    pub url: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// What became of the delivery of the job's end; absent before it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<WebhookState>,
    /// Why the newest attempt to deliver the job's end did not succeed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_event_is_that_of_a_final_state() {
        for state in JobState::ALL {
            let event = WebhookEvent::of(&EventKind::State {
                state,
                attempt: 1,
                failure: None,
            });
            assert_eq!(event.name(), state.name());
            assert_eq!(event.is_final(), state.is_final(), "{state}");
        }
        assert!(!WebhookEvent::Progress.is_final() && !WebhookEvent::Artifact.is_final());
    }
}
