//! Faults that really happen to the real binary: kills, full and read-only disks, damaged files, SIGTERM.
//!
//! Run by `tests/faults/run.sh`, one after another because each takes all cores. What needs a privilege
//! that is not there prints `skipped: why`.

#![expect(
    clippy::print_stdout,
    reason = "what was done and seen is the result of these tests"
)]

#[path = "../kit/mod.rs"]
mod kit;

mod damage;
mod disk;
mod drain;
mod guilt;
mod kill;
mod leftovers;
mod mount;
mod webhooks;
mod workers;
