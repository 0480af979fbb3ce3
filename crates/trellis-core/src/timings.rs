//! What a result took: the time of each stage and the GPU memory.

use serde::{Deserialize, Serialize};

use crate::Stage;

/// How long a stage took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageTime {
    /// The stage.
    pub stage: Stage,
    /// The time spent in it, in milliseconds.
    pub ms: u64,
}

/// What making a result took, waiting in the queue not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timings {
    /// The stages that the backend passed, in order.
    pub stages: Vec<StageTime>,
    /// The most GPU memory that torch held during the job; absent for a backend without a GPU.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak_vram_bytes: Option<u64>,
}
