//! The formats against Nix itself (`tests/goldens`), and against themselves with random contents.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod archives;
mod conf;
mod derivations;
mod flakerefs;
mod hashes;
mod kit;
mod limits;
mod narinfo;
mod path_info;
mod paths;
mod properties;
#[path = "../../examples/check-derivations/store.rs"]
mod store;
