//! Whether a result was made by what runs here: comparisons of its record with this machine, its statement, its
//! pictures, and with itself made again.
//!
//! Files are read and reports printed by the caller; only store paths are looked up here.

mod check;
mod installation;
mod recorded;
mod statement;
mod store_path;

pub use check::{Check, Verdict};
pub use installation::compare_installation;
pub use recorded::Recorded;
pub use statement::{Stated, compare_statement};
