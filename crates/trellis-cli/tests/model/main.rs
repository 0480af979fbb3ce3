//! `trellis model`: the real binary against small true models and a hub on the loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod fetch;
mod folder;
mod kit;
#[path = "../../../trellis-models/tests/sample/mod.rs"]
mod sample;
#[path = "../../../trellis-model-fetch/tests/stand_in/mod.rs"]
mod stand_in;
