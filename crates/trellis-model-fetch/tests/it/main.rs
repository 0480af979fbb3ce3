//! Downloads from a hub on the loopback that fails by script.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod cache;
mod extras;
mod faults;
mod fetch;
mod kit;
#[path = "../../../trellis-models/tests/sample/mod.rs"]
mod sample;
#[path = "../stand_in/mod.rs"]
mod stand_in;
mod trellis2;
