//! A file that is wanted: where it is, where it belongs and what it must hash to.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::Serialize;
use trellis_models::hash;

use crate::partial::blocking;

/// What a file must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Digest {
    /// Large files: the sha256 that LFS lists.
    Sha256(String),
    /// Small files: the id of the git blob.
    GitBlob(String),
    /// Nothing is published; the size is all that can be held against it.
    Unknown,
}

impl Digest {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Sha256(text) | Self::GitBlob(text) => Some(text),
            Self::Unknown => None,
        }
    }

    /// What a file hashes to, in the same way; `None` where nothing is published.
    pub(crate) async fn of(&self, path: &Path) -> std::io::Result<Option<String>> {
        let path = path.to_owned();
        match self {
            Self::Sha256(_) => blocking(move || hash::sha256(&path, &|_| {}))
                .await
                .map(|found| Some(found.to_string())),
            Self::GitBlob(_) => blocking(move || hash::git_blob_id(&path)).await.map(Some),
            Self::Unknown => Ok(None),
        }
    }
}

/// One file to bring.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What people call it.
    pub(crate) name: String,
    pub(crate) url: Url,
    /// Where it ends up.
    pub(crate) place: PathBuf,
    pub(crate) size: Option<u64>,
    pub(crate) digest: Digest,
}

/// How a file came to be in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was, and is what it should be.
    AlreadyThere,
    /// All of it came now.
    Downloaded,
    /// An earlier run had begun it.
    Resumed,
}
