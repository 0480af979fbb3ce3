//! Why a lock file cannot be used.

use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

trellis_core::explained! {
    /// Why a lock file cannot be used.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum LockError {
        #[error("`{}` cannot be read", path.display())]
        Unreadable { path: PathBuf, #[source] source: io::Error } = "lock_unreadable",
            "name the file, or run this in the folder of the flake";
        #[error("the lock file is not of the expected shape")]
        Shape { #[source] source: serde_json::Error } = "lock_shape",
            "restore it from version control, or let `nix flake lock` write it again";
        #[error("the lock file is of version {found}; versions {} to {} are supported", known.start(), known.end())]
        Version { found: u32, known: RangeInclusive<u32> } = "lock_version",
            "write it with a current Nix: `nix flake lock`";
        #[error("input `{input}` of node `{node}` is the node `{named}`, which the lock file does not have")]
        NodeMissing { node: String, input: String, named: String } = "lock_node_missing", EDITED;
        #[error("the root is the node `{named}`, which the lock file does not have")]
        RootMissing { named: String } = "lock_root_missing", EDITED;
        #[error("input `{input}` of node `{node}` follows `{path}`, but node `{at}` has no input `{missing}`")]
        FollowsNothing { node: String, input: String, path: String, at: String, missing: String } =
            "lock_follows_nothing", CORRECT_FOLLOWS;
        #[error("what input `{input}` of node `{node}` follows is circular: {way}")]
        FollowsItself { node: String, input: String, way: String } = "lock_follows_itself", CORRECT_FOLLOWS;
        #[error("the inputs of node `{node}` are circular: {way}")]
        NodeCycle { node: String, way: String } = "lock_node_cycle", EDITED;
    }
}

const EDITED: &str = "it was edited by hand or merged: let `nix flake lock` write it again";
const CORRECT_FOLLOWS: &str = "correct `follows` in `flake.nix`, then run `nix flake lock`";
