//! Downloads model folders from a Hugging Face-compatible hub: in parallel, resumable, verified.
//!
//! ```text
//! listing ──▶ pipeline.json ──▶ what it names, told ──▶ ranges ──▶ digest ──▶ rename
//! ```
//! The crate `hf-hub` (1.0) was read and not taken: it starts a cut-off file from zero, does not hold what it
//! received against the listed sha256, and brings the xet stack for repositories that plain HTTP serves too.
//! Not here: whether a folder is sound (`trellis-models`), progress bars and exit codes (`trellis-cli`).

mod archive;
mod client;
mod dinov3;
mod disk_space;
mod download;
mod error;
mod extras;
mod fetch;
mod file;
mod layout;
mod listing;
mod part;
mod partial;
mod plan;
mod progress;
mod repair;
mod retry;
mod settings;
mod source;
mod token;
mod transfer;

pub use client::Hub;
pub use dinov3::EncoderSource;
pub use error::FetchError;
pub use extras::{ExtraSources, RemoteFile, fetch_extras};
pub use fetch::{Fetched, Prepared, Request, fetch, fetch_files, prepare};
pub use file::How;
pub use layout::Layout;
pub use part::FetchedFile;
pub use plan::{Planned, check_room};
pub use progress::{Progress, Silent};
pub use repair::{Repair, RepairFailure, Repaired};
pub use retry::RetryPolicy;
pub use settings::Settings;
pub use source::Source;
