//! Which exact files run: closures of a Nix store, and what a flake's lock file pins.
//!
//! Reads Nix's database, or the files alone; hashes trees as Nix does; says what two closures differ in and
//! whether a closure is what its database, a binary cache and trusted keys say. Never writes, never runs Nix.
//! The formats themselves are `nix-compat`'s.

mod binary_cache;
mod database;
mod diff;
mod error;
pub mod lock;
mod nar;
mod own;
mod path_info;
mod recipe;
mod scan;
mod store;
mod trust;
pub mod verify;

pub use binary_cache::BinaryCache;
pub use diff::{Change, Diff, Kind, Total, diff};
pub use error::ClosureError;
pub use nar::{OnBytes, hash_path, hash_path_with};
pub use own::own_store_path;
pub use path_info::{PathInfo, Source};
pub use store::{Closure, Store};
pub use trust::{TrustedKeys, keys_of_nix_conf, parse_key};
