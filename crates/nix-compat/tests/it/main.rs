//! The formats against Nix itself (`tests/goldens`), and against themselves with random contents.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod conf;
mod derivations;
mod flakerefs;
mod path_info;
#[path = "../../examples/check-derivations/store.rs"]
mod store;
mod surface_derivation;
