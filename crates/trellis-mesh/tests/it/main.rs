//! Meshes as exporters write them, and as they arrive when something went wrong.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]
#![expect(clippy::float_cmp, reason = "numbers are read as they are written")]

mod glbs;
mod objs;
mod plys;
mod refused;
