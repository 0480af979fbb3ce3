//! The formats against Nix itself (`tests/goldens`), and against themselves with random contents.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod archives;
mod hashes;
mod kit;
mod limits;
mod narinfo;
mod paths;
mod properties;
