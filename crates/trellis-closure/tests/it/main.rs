//! Stores made by the tests, and the repository's own lock file.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../kit/mod.rs"]
mod kit;

mod content;
mod damage;
mod diff;
mod flake_lock;
mod nar;
mod signatures;
mod store;
