//! Says what is wrong with a Python and CUDA environment, from its files alone.
//!
//! Needs no GPU, no CUDA tools and no running Python: ELF tables, fatbin headers and package metadata are
//! read as they lie on disk. [`examine`] reads an environment; the other checks look at the machine.
//! Not here: printing (`render.rs` makes the text, the command prints it), and fetching anything.

mod abi;
pub mod code;
mod conclusion;
mod elf;
mod environment;
mod examine;
mod finding;
pub mod gpu;
pub mod host;
mod imports;
mod library_index;
mod packages;
pub mod probe;
mod records;
mod render;
mod report;
mod text;
pub mod triton;
pub mod variables;
mod versions;

pub use code::{ArchCount, CodeLists, LibraryCode, UnitCounts, Verdict};
pub use conclusion::{Answer, Conclusion, Looked};
pub use environment::{Environment, EnvironmentError, PythonVersion, environment_of};
pub use examine::{Settings, Unfit, examine, quick, system_library_folders};
pub use finding::{Check, Diagnosis, Finding, Level};
pub use report::Report;
pub use trellis_core::{Capability, InvalidCapability};
