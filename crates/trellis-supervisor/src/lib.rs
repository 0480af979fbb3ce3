//! Keeps TRELLIS worker processes running and gives them jobs.

mod admission;
mod cause;
mod clocks;
mod environment;
mod gpus;
mod limits;
mod logs;
mod process;
pub mod protocol;
mod state;

pub use gpus::{Gpu, GpuChoice, GpuError, GpuProcess, Gpus, InvalidGpuChoice, NoSuchGpu, list as list_gpus};
pub use limits::Limits;
