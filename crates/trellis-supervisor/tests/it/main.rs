//! The supervisor with real worker processes, whose TRELLIS is a stand-in that fails as a test scripts it.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod faults;
mod jobs;
mod kit;
mod loading;
mod operating;
