//! Why a repair is not made or not undone.

use std::io;
use std::path::PathBuf;

use crate::read::ReadError;

trellis_core::explained! {
    /// Why a folder is left as it is.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum RepairError {
        #[error("pipeline.json has to be readable before anything can be repaired")]
        Pipeline { #[source] source: ReadError } = "pipeline_unreadable", RESTORE_PIPELINE;
        #[error("`{}` is in a hub cache, which is never edited in place", folder.display())]
        InsideCache { folder: PathBuf } = "inside_cache",
            "name a new folder with `--to DIR`: it is built from links into the cache, and repaired there";
        #[error("`{}` already exists and is not empty", folder.display())]
        TargetNotEmpty { folder: PathBuf } = "target_not_empty", "name a folder that does not exist yet";
        #[error("`{}` cannot be written", path.display())]
        Write { path: PathBuf, #[source] source: io::Error } = "write",
            "make the folder writable and see that the disk has room, then repair again";
        #[error("pipeline.json does not have a form that can be edited")]
        Edit { #[source] source: serde_json::Error } = "edit", RESTORE_PIPELINE;
        #[error("`{}` has no record of a repair", folder.display())]
        NothingToUndo { folder: PathBuf } = "nothing_to_undo",
            "name the folder that `trellis model repair` changed";
        #[error("the record of the repair cannot be used")]
        MarkerUnreadable { #[source] source: ReadError } = "marker_unreadable",
            "restore `pipeline.json` from `pipeline.json.before-repair` by hand, then delete `trellis-repair.json`";
        #[error("`{path}` was changed after the repair")]
        ChangedSince { path: String } = "changed_since", RESTORE_BY_HAND;
        #[error("`{path}`, which the repair kept, is gone")]
        KeptFileGone { path: String } = "kept_file_gone", RESTORE_BY_HAND;
    }
}

const RESTORE_PIPELINE: &str = "restore pipeline.json with `trellis model fetch`, then repair again";
const RESTORE_BY_HAND: &str = "nothing was undone: restore the file by hand or fetch the folder again";
