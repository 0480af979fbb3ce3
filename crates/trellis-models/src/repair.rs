//! Puts right what can be put right in a model folder.
//!
//! ```text
//! plan ── what is missing or damaged, and where it comes from ──▶ apply ──▶ trellis-repair.json ──▶ undo
//! ```
//! A plan changes nothing, so a dry run is the plan printed. Not here: downloading (the caller fetches into a
//! folder and hands that in) and finding the faults (`check`).

mod apply;
mod edit;
mod error;
mod marker;
mod plan;
mod undo;

pub use apply::apply;
pub use edit::diff;
pub use error::RepairError;
pub use marker::{Change, MARKER_FILE, Marker, Substitution};
pub use plan::{Options, Plan, Remedy, Source, Unsolved, plan};
pub use undo::undo;
