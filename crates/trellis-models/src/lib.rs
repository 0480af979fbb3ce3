//! Model folders on disk: what TRELLIS reads, whether it is there, whole and pinned, and how to repair it.
//!
//! Files in, findings out: no network, no async runtime, and no tensor is loaded. Downloads are made by the
//! service `trellis-model-fetch`.

pub mod cache;
pub mod check;
pub mod config;
pub mod dinov3;
pub mod extras;
pub mod hash;
pub mod header;
pub mod leftovers;
pub mod list;
pub mod lock;
pub mod misplaced;
pub mod moves;
pub mod numbers;
pub mod pipeline;
mod places;
mod problem;
pub mod published;
mod read;
pub mod record;
mod reference;
pub mod repair;
mod report;
pub mod role;
pub mod shape_encoder;
pub mod shapes;
mod stand_in;
mod typo;
mod write;

pub use cache::{LocateError, Located, Snapshot, locate};
pub use places::Places;
pub use problem::Problem;
pub use read::ReadError;
pub use reference::{Reference, Refused};
pub use report::{Checkpoint, ExtraFound, Report};
pub use stand_in::StandIn;
pub use trellis_core::Severity;
pub use typo::Missing;
