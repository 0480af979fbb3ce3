//! From a file to the store path that holds it.

use std::path::Path;

use nix_compat::store_path::StorePath;

use crate::error::ClosureError;
use crate::store::Store;

/// The store path that a program belongs to; `None` outside a store.
///
/// Links are followed to the file itself, as from a profile's or an environment's `bin`. A wrapped program
/// (`bin/.trellis-wrapped`) lies in the same store path as its wrapper, so it has the same answer.
pub fn own_store_path(exe: &Path) -> Option<StorePath<String>> {
    let file = exe.canonicalize().ok()?;
    StorePath::from_absolute_path_full(&file)
        .ok()
        .map(|(path, _)| path)
}

impl Store {
    /// The store path that a person means: `/nix/store/…` or a file below it, its last part alone, or a link
    /// to one such as `result`. A file below this store's own folder counts as well.
    pub fn find(&self, named: &Path) -> Result<StorePath<String>, ClosureError> {
        if let Some(path) = named.to_str().and_then(|name| name.parse().ok()) {
            return Ok(path);
        }
        if let Some(path) = logical(named) {
            return Ok(path);
        }
        let real = named.canonicalize().map_err(|source| ClosureError::Unreadable {
            path: named.to_owned(),
            source,
        })?;
        // Of a store elsewhere, what lies below its root is what counts.
        let root = self.root().canonicalize().unwrap_or_default();
        let below = real.strip_prefix(&root).map(|rest| Path::new("/").join(rest));
        below
            .ok()
            .and_then(|path| logical(&path))
            .or_else(|| logical(&real))
            .ok_or_else(|| ClosureError::NotAStorePath {
                path: named.to_owned(),
            })
    }
}

fn logical(path: &Path) -> Option<StorePath<String>> {
    StorePath::from_absolute_path_full(path)
        .ok()
        .map(|(path, _)| path)
}
