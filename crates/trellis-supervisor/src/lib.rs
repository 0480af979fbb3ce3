//! Keeps TRELLIS worker processes running and gives them jobs.

pub mod protocol;
