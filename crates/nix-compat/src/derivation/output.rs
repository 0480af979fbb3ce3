//! One output of a derivation.

use std::borrow::Cow;

use crate::nixhash::{CAHash, NixHash};
use crate::store_path::StorePath;

use super::OutputError;

/// Where an output goes, and what it must hold if that is fixed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Output {
    /// Its store path, if that was computed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub path: Option<StorePath<String>>,
    /// The hash of what it must hold; only a fixed output has one.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub ca_hash: Option<CAHash>,
}

impl Output {
    /// Whether what it holds is fixed by a hash, as of a download.
    pub fn is_fixed(&self) -> bool {
        self.ca_hash.is_some()
    }

    /// Its absolute path, empty if it has none yet.
    pub fn path_str(&self) -> Cow<'_, str> {
        match &self.path {
            Some(path) => Cow::Owned(path.to_absolute_path()),
            None => Cow::Borrowed(""),
        }
    }

    /// Checks the kind of hash and, on demand, that there is a path.
    pub fn validate(&self, validate_output_paths: bool) -> Result<(), OutputError> {
        if let Some(text @ CAHash::Text(_)) = &self.ca_hash {
            return Err(OutputError::InvalidCAHash(text.clone()));
        }
        if validate_output_paths && self.path.is_none() {
            return Err(OutputError::MissingOutputPath);
        }
        Ok(())
    }
}

/// A fixed output's hash, from how it is hashed as ATerm has it: nothing for a file, `r` for a tree, `text`.
pub(super) fn with_method(method: &str, hash: NixHash) -> Option<CAHash> {
    match (method, hash) {
        ("", hash) => Some(CAHash::Flat(hash)),
        ("r", hash) => Some(CAHash::Nar(hash)),
        ("text", NixHash::Sha256(digest)) => Some(CAHash::Text(digest)),
        _ => None,
    }
}
