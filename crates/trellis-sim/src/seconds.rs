//! How long the stages of a job of TRELLIS take on one GPU, as they were measured.

use std::time::Duration;

use trellis_core::Stage;

/// Seconds of each stage: the line "ours" of the table of stages in docs/performance.md, which a test compares.
pub const SECONDS: [(Stage, f64); 7] = [
    (Stage::Condition, 0.04),
    (Stage::SparseStructure, 0.41),
    (Stage::StructuredLatent, 0.72),
    (Stage::Decode, 0.22),
    (Stage::Simplify, 2.70),
    (Stage::Texture, 0.92),
    (Stage::Export, 0.20),
];

/// How long a job takes that passes these stages. `size`: how large its mesh is beside the one that was measured, which
/// counts from its decoding on.
pub fn whole_job(passes: impl Fn(Stage) -> bool, size: f64) -> Duration {
    let stages = SECONDS.into_iter().filter(|(stage, _)| passes(*stage));
    let seconds = stages.map(|(stage, seconds)| {
        if stage < Stage::Decode {
            seconds
        } else {
            seconds * size
        }
    });
    Duration::from_secs_f64(seconds.sum())
}
