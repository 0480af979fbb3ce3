//! Keeps TRELLIS worker processes running and gives them jobs.

mod cause;
mod clocks;
mod environment;
mod limits;
pub mod protocol;
mod state;

pub use limits::Limits;
