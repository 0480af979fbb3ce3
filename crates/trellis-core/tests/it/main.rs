//! Tests of the workspace as a whole that need nothing but its files.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod circles;
mod gpu_need;
mod layers;
mod parameters;
mod wording;
