//! The runner with scripted backends against the real store.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod ends;
mod exports;
mod kit;
mod leases;
mod overlap;
mod owners;
mod previews;
mod random;
mod results;
mod room;
mod scripted;
mod shutdown;
