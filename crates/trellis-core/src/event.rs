//! What happened to a job, one entry after another.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AssetName, Failure, JobId, JobState, Progress};

/// One entry of a job's history as clients follow it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobEvent {
    /// Grows with each entry of the store; the `Last-Event-ID` to resume after.
    pub seq: u64,
    /// The job.
    pub job: JobId,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The state changed.
    State {
        /// The state now.
        state: JobState,
        /// The attempt it belongs to, 0 before the first.
        attempt: u32,
        /// Why, where it failed.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        failure: Option<Failure>,
    },
    /// Work went on.
    Progress(Progress),
    /// A file became available.
    Artifact {
        /// Its name within the job.
        name: String,
        /// Whether it is only a preview.
        preview: bool,
    },
    /// The job was given another name.
    Renamed {
        /// Its name now.
        name: AssetName,
    },
}
