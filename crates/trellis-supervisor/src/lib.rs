//! Keeps TRELLIS worker processes running and gives them jobs.
//!
//! ```text
//! TrellisBackend (`backend.rs`)
//!   ├ a job's way (`attempt.rs`): retries, low-VRAM mode
//!   │     │ ticket (`ticket.rs`)
//!   └ driver, one per worker (`driver.rs`): what messages mean (`messages.rs`) and the state machine says (`state.rs`), both pure
//!         └ running (`running.rs`): process, socket, log lines, clocks
//! ```

mod admission;
mod attempt;
mod backend;
mod cause;
mod clocks;
mod driver;
mod encoder;
mod environment;
mod launch;
mod limits;
mod logs;
mod meshes;
mod messages;
mod pictures;
mod process;
pub mod protocol;
mod python;
mod record;
mod running;
mod share;
mod state;
mod ticket;
mod tuning;

pub use admission::least_memory;
pub use backend::{SupervisorSettings, TrellisBackend, capabilities};
pub use launch::LaunchSettings;
pub use limits::Limits;
pub use python::UnpackError;
pub use share::Shares;
