//! Why a store or a path in it cannot be read.

use std::io;
use std::path::PathBuf;

use nix_compat::store_path::StorePath;

/// Why a store, or a path in it, cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum ClosureError {
    #[error("there is no Nix store at `{}`", store.display())]
    StoreMissing { store: PathBuf },
    #[error("the Nix database `{}` cannot be read", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("the Nix database says of `{path}` in `{field}`: `{text}`, which cannot be read")]
    Row {
        path: String,
        field: &'static str,
        text: String,
    },
    #[error("`{}` is not in the store", path.to_absolute_path())]
    NotInStore { path: StorePath<String> },
    #[error("`{}` is not registered in the Nix database, whose newest changes could not be read", path.to_absolute_path())]
    NotInOldDatabase { path: StorePath<String> },
    #[error("`{}` is not a path of a Nix store", path.display())]
    NotAStorePath { path: PathBuf },
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` changed while it was read", path.display())]
    Changed { path: PathBuf },
    #[error("`{}` is neither file nor folder nor symlink", path.display())]
    SpecialFile { path: PathBuf },
    #[error("`{}` is nested more than {limit} folders deep", path.display())]
    TooDeep { path: PathBuf, limit: usize },
    #[error("`{}` is not a narinfo file: {reason}", path.display())]
    NarInfo { path: PathBuf, reason: String },
    #[error("`{key}` is not a public key: {reason}")]
    Key { key: String, reason: String },
}

impl ClosureError {
    /// Stable name in JSON, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::StoreMissing { .. } => "store_missing",
            Self::Database { .. } => "database",
            Self::Row { .. } => "database_row",
            Self::NotInStore { .. } => "not_in_store",
            Self::NotInOldDatabase { .. } => "not_in_old_database",
            Self::NotAStorePath { .. } => "not_a_store_path",
            Self::Unreadable { .. } => "unreadable",
            Self::Changed { .. } => "changed",
            Self::SpecialFile { .. } => "special_file",
            Self::TooDeep { .. } => "too_deep",
            Self::NarInfo { .. } => "narinfo",
            Self::Key { .. } => "key",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::StoreMissing { .. } => {
                "name the folder with `nix/store` with `--store`, or run this where Nix is installed"
            }
            Self::Database { .. } => {
                "make it readable for this user, or copy the store without its `var` to go by the files alone"
            }
            Self::Row { .. } => {
                "run `nix-store --verify`; a newer Nix than this program knows may have written it"
            }
            Self::NotInStore { .. } => "get it with `nix build` or `nix copy`",
            Self::NotInOldDatabase { .. } => {
                "run this as root, or again after Nix has written its journal (`db.sqlite-wal`) into the database"
            }
            Self::NotAStorePath { .. } => {
                "name a path below `/nix/store`, or a link to one such as `result`; another store directory is not supported"
            }
            Self::Unreadable { .. } => "check that it exists and that this user may read it",
            Self::Changed { .. } => {
                "find out what writes into the store, which nothing should, then run this again"
            }
            Self::SpecialFile { .. } => "remove it: Nix never creates such a file",
            Self::TooDeep { .. } => "check it: no package is nested that deep",
            Self::NarInfo { .. } => "copy it from the binary cache again",
            Self::Key { .. } => "give it as `NAME:BASE64`, as `nix key convert-secret-to-public` prints it",
        }
    }
}
