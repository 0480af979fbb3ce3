//! Why a lock file cannot be used.

use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum LockError {
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the lock file is not of the expected shape")]
    Shape(#[source] serde_json::Error),
    #[error("the lock file is of version {found}; versions {} to {} are supported", known.start(), known.end())]
    Version { found: u32, known: RangeInclusive<u32> },
    #[error("input `{input}` of node `{node}` is the node `{named}`, which the lock file does not have")]
    NodeMissing {
        node: String,
        input: String,
        named: String,
    },
    #[error("the root is the node `{named}`, which the lock file does not have")]
    RootMissing { named: String },
    #[error("input `{input}` of node `{node}` follows `{path}`, but node `{at}` has no input `{missing}`")]
    FollowsNothing {
        node: String,
        input: String,
        path: String,
        at: String,
        missing: String,
    },
    #[error("what input `{input}` of node `{node}` follows is circular: {way}")]
    FollowsItself {
        node: String,
        input: String,
        way: String,
    },
    #[error("the inputs of node `{node}` are circular: {way}")]
    NodeCycle { node: String, way: String },
}

impl LockError {
    /// Stable name in JSON, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "lock_unreadable",
            Self::Shape(_) => "lock_shape",
            Self::Version { .. } => "lock_version",
            Self::NodeMissing { .. } => "lock_node_missing",
            Self::RootMissing { .. } => "lock_root_missing",
            Self::FollowsNothing { .. } => "lock_follows_nothing",
            Self::FollowsItself { .. } => "lock_follows_itself",
            Self::NodeCycle { .. } => "lock_node_cycle",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name the file, or run this in the folder of the flake",
            Self::Shape(_) => "restore it from version control, or let `nix flake lock` write it again",
            Self::Version { .. } => "write it with a current Nix: `nix flake lock`",
            Self::NodeMissing { .. } | Self::RootMissing { .. } | Self::NodeCycle { .. } => {
                "it was edited by hand or merged: let `nix flake lock` write it again"
            }
            Self::FollowsNothing { .. } | Self::FollowsItself { .. } => {
                "correct `follows` in `flake.nix`, then run `nix flake lock`"
            }
        }
    }
}
