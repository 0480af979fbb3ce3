//! Takes jobs from the store, has a backend do them, and sees each of them to its end.
//!
//! ```text
//! Runner ── recovers lost jobs (`recovery.rs`), makes previews of those that wait (`previews.rs`)
//!   └ slot, as many as the backend works on at a time (`slot.rs`), one after another after a crash (`suspects.rs`)
//!       └ attempt (`attempt.rs`): heartbeats (`lease.rs`), reports (`reporter.rs`),
//!         the backend (`work.rs`), its files and what made them (`result.rs`, `upload.rs`), the end (`ending.rs`)
//! ```
//!
//! Every claimed job ends: it succeeds, fails, is handed back, or its lease lapses and it is taken back.

mod attempt;
mod ending;
mod in_vain;
mod lease;
mod makers;
mod previews;
mod recovery;
mod reporter;
mod result;
mod runner;
mod scratch;
mod shared;
mod slot;
mod suspects;
mod upload;
mod work;

pub use makers::LocalMakers;
pub use runner::Runner;
pub use shared::{Abilities, RunnerSettings};
