//! `trellis-repair.json`: what a repair changed, so that it can be undone, and so that a folder that was made
//! to load but cannot work is known as such.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::RepairError;
use crate::read::{ReadError, read_small};
use crate::write::write_atomically;

/// The record's name beside `pipeline.json`.
pub const MARKER_FILE: &str = "trellis-repair.json";

/// What repairs did to a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The substitute flow model, if there is one.
    #[serde(rename = "as_in_notes")]
    pub substitution: Option<Substitution>,
    /// Files, in the order in which they were changed.
    pub changes: Vec<Change>,
}

/// Another checkpoint in a role, with which the pipeline loads but cannot work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Substitution {
    /// The role whose checkpoint was missing.
    pub role: String,
    /// What pipeline.json named.
    pub from: String,
    /// What it names now.
    pub to: String,
}

/// A file that a repair wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Relative to the folder.
    pub path: String,
    /// What was there before, kept under this name; nothing was there if absent.
    pub kept_as: Option<String>,
    /// Where in the folder the file was moved from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
    /// The bytes that were written.
    pub size: u64,
    /// Where they came from, for people.
    pub source: String,
}

impl Marker {
    /// The folder's record, if there is one that can be read. One that can't be read is no permission:
    /// it counts as a substitution.
    pub fn read(folder: &Path) -> Option<Self> {
        match Self::try_read(folder) {
            Ok(marker) => marker,
            Err(_) => Some(Self {
                substitution: Some(Substitution {
                    role: "unknown".to_owned(),
                    from: "unknown".to_owned(),
                    to: "unknown".to_owned(),
                }),
                changes: Vec::new(),
            }),
        }
    }

    pub(super) fn try_read(folder: &Path) -> Result<Option<Self>, ReadError> {
        let path = marker_path(folder);
        match read_small(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|source| ReadError::Malformed { path, source }),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Why nothing should be served from the folder; `None` if it was repaired truly.
    pub fn refusal(&self) -> Option<String> {
        self.substitution.as_ref().map(Substitution::warning)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), RepairError> {
        let path = marker_path(folder);
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other);
        text.and_then(|text| write_atomically(&path, &text))
            .map_err(|source| RepairError::Write { path, source })
    }
}

impl Substitution {
    /// What a person must know.
    pub fn warning(&self) -> String {
        format!(
            "`{}` in place of the `{}` is a sparse-structure model: the pipeline loads, but sampling the \
             structured latent fails with `Input shape mismatch, got torch.Size([1, 8]), expected [1, 8, 16, 16, 16]`",
            self.to, self.role
        )
    }
}

pub(super) fn marker_path(folder: &Path) -> PathBuf {
    folder.join(MARKER_FILE)
}
