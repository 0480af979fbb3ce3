//! The supervisor with real worker processes, whose TRELLIS is a stand-in that fails as a test scripts it.

mod faults;
mod jobs;
mod kit;
mod loading;
mod operating;
