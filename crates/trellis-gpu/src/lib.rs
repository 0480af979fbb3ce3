//! The NVIDIA GPUs of this machine, with MIG slices as GPUs of their own, and which of them are chosen.
//!
//! Read from NVML, which is loaded at run time: without a driver this says so. What a GPU is stands in
//! `trellis-core`, so that the doctor can judge GPUs without asking for them.

mod choice;
mod nvml;

pub use choice::{GpuChoice, InvalidGpuChoice, NoSuchGpu};
pub use nvml::{GpuError, Gpus, list};
