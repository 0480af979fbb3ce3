//! What supervisor and worker say to each other. The page for people: docs/worker-protocol.md.
//!
//! Each message has a snapshot in `messages/`; the worker's Python tests read the same files.
//! Not here: when a message is allowed (`state.rs`) and how bytes travel (`frame.rs`).

mod bounds;
mod frame;
mod from_worker;
mod to_worker;

pub(crate) use bounds::ARTIFACTS;
pub use frame::{FrameError, MAX_FRAME_BYTES, read_frame, write_frame};
pub use from_worker::{FailedReport, FromWorker, GpuFacts};
pub use to_worker::ToWorker;

/// The version of the protocol; `hello` carries the worker's, and another one is refused. A field that is added
/// is optional and keeps the version; whatever else changes takes the next.
pub const PROTOCOL: u32 = 2;

#[cfg(test)]
mod tests;
