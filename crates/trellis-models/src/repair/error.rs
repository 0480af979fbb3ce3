//! Why a repair is not made or not undone.

use std::io;
use std::path::PathBuf;

use crate::read::ReadError;

/// Why a folder is left as it is.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum RepairError {
    #[error("pipeline.json has to be readable before anything can be repaired")]
    Pipeline {
        #[source]
        source: ReadError,
    },
    #[error("`{}` is in a hub cache, which is never edited in place", folder.display())]
    InsideCache { folder: PathBuf },
    #[error("`{}` already exists and is not empty", folder.display())]
    TargetNotEmpty { folder: PathBuf },
    #[error("`{}` cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("pipeline.json does not have a form that can be edited")]
    Edit {
        #[source]
        source: serde_json::Error,
    },
    #[error("`{}` has no record of a repair", folder.display())]
    NothingToUndo { folder: PathBuf },
    #[error("the record of the repair cannot be used")]
    MarkerUnreadable {
        #[source]
        source: ReadError,
    },
    #[error("`{path}` was changed after the repair")]
    ChangedSince { path: String },
    #[error("`{path}`, which the repair kept, is gone")]
    KeptFileGone { path: String },
}

impl RepairError {
    /// Stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pipeline { .. } => "pipeline_unreadable",
            Self::InsideCache { .. } => "inside_cache",
            Self::TargetNotEmpty { .. } => "target_not_empty",
            Self::Write { .. } => "write",
            Self::Edit { .. } => "edit",
            Self::NothingToUndo { .. } => "nothing_to_undo",
            Self::MarkerUnreadable { .. } => "marker_unreadable",
            Self::ChangedSince { .. } => "changed_since",
            Self::KeptFileGone { .. } => "kept_file_gone",
        }
    }

    /// What to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Pipeline { .. } | Self::Edit { .. } => {
                "restore pipeline.json with `trellis model fetch`, then repair again"
            }
            Self::InsideCache { .. } => {
                "name a new folder with `--to DIR`: it is built from links into the cache, and repaired there"
            }
            Self::TargetNotEmpty { .. } => "name a folder that does not exist yet",
            Self::Write { .. } => {
                "make the folder writable and see that the disk has room, then repair again"
            }
            Self::NothingToUndo { .. } => "name the folder that `trellis model repair` changed",
            Self::MarkerUnreadable { .. } => {
                "restore `pipeline.json` from `pipeline.json.before-repair` by hand, then delete `trellis-repair.json`"
            }
            Self::ChangedSince { .. } | Self::KeptFileGone { .. } => {
                "nothing was undone: restore the file by hand or fetch the folder again"
            }
        }
    }
}
