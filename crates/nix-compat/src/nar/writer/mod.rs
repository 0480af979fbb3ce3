//! Writes archives, one node after the other.

pub mod sync;

pub use sync::*;
pub(super) use sync::{close, entry};
