//! What a binary cache in a folder says of a store path.
//!
//! Format: `<hash part>.narinfo` files in one folder, as `nix copy --to file://…` writes them.

use std::path::{Path, PathBuf};

use nix_compat::narinfo::{NarInfo, Signature};
use nix_compat::nixbase32;
use nix_compat::nixhash::NixHash;
use nix_compat::store_path::StorePath;

use crate::error::ClosureError;
use crate::path_info::{PathInfo, Source};

/// A folder of narinfo files.
#[derive(Debug, Clone)]
pub struct BinaryCache {
    folder: PathBuf,
}

impl BinaryCache {
    /// The cache in a folder.
    pub fn open(folder: &Path) -> Result<Self, ClosureError> {
        match folder.read_dir() {
            Ok(_) => Ok(Self {
                folder: folder.to_owned(),
            }),
            Err(source) => Err(ClosureError::Unreadable {
                path: folder.to_owned(),
                source,
            }),
        }
    }

    /// What the cache says of a path; `None` where it does not have it.
    pub fn info(&self, path: &StorePath<String>) -> Result<Option<PathInfo>, ClosureError> {
        let file = self
            .folder
            .join(format!("{}.narinfo", nixbase32::encode(path.digest())));
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ClosureError::Unreadable { path: file, source }),
        };
        let wrong = |reason: String| ClosureError::NarInfo {
            path: file.clone(),
            reason,
        };
        let narinfo = NarInfo::parse(&text).map_err(|error| wrong(error.to_string()))?;
        let stated = narinfo.store_path.to_owned();
        if stated != *path {
            return Err(wrong(format!("it is about `{}`", stated.to_absolute_path())));
        }
        let mut references: Vec<_> = narinfo.references.iter().map(StorePath::to_owned).collect();
        references.sort_unstable();
        Ok(Some(PathInfo {
            path: stated,
            nar_hash: NixHash::Sha256(narinfo.nar_hash),
            nar_size: narinfo.nar_size,
            references,
            // Its ending is cut off where narinfo files are read.
            deriver: narinfo
                .deriver
                .and_then(|deriver| format!("{deriver}.drv").parse().ok()),
            signatures: narinfo.signatures.iter().map(Signature::to_owned).collect(),
            ca: narinfo.ca.clone(),
            registered: None,
            built_here: false,
            source: Source::BinaryCache,
        }))
    }
}
