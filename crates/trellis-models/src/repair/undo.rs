//! Takes a folder's repairs back: looks first, changes after, and does nothing if anything is not as left.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::apply::relocate;
use super::error::RepairError;
use super::marker::{Change, Marker, marker_path};
use crate::cache::snapshot_of;

/// Undoes every recorded repair of a folder, the last first, and returns what was undone. With `dry_run` only
/// says what it would do.
pub fn undo(folder: &Path, dry_run: bool) -> Result<Vec<Change>, RepairError> {
    if snapshot_of(folder).is_some() {
        return Err(RepairError::InsideCache {
            folder: folder.to_owned(),
        });
    }
    let marker = Marker::try_read(folder)
        .map_err(|source| RepairError::MarkerUnreadable { source })?
        .ok_or_else(|| RepairError::NothingToUndo {
            folder: folder.to_owned(),
        })?;
    let mut changes = marker.changes;
    changes.reverse();
    let contained = changes.iter().all(Change::stays_inside);
    if !contained {
        return Err(RepairError::ChangedSince {
            path: super::MARKER_FILE.to_owned(),
        });
    }
    // Of several changes to one file only the last one's bytes are still there to look at.
    let mut seen = BTreeSet::new();
    for change in changes.iter().filter(|change| seen.insert(&change.path)) {
        change.check_undoable(folder)?;
    }
    if dry_run {
        return Ok(changes);
    }
    for change in &changes {
        let path = folder.join(&change.path);
        let result = put_back(folder, change, &path);
        result.map_err(|source| RepairError::Write { path, source })?;
    }
    let path = marker_path(folder);
    fs::remove_file(&path).map_err(|source| RepairError::Write { path, source })?;
    Ok(changes)
}

fn put_back(folder: &Path, change: &Change, path: &Path) -> io::Result<()> {
    if let Some(from) = &change.moved_from {
        // Where the repair was cut off before the move, the file is where it was.
        if path.symlink_metadata().is_ok() && folder.join(from).symlink_metadata().is_err() {
            relocate(path, &folder.join(from))?;
        }
    }
    match &change.kept_as {
        Some(kept) if folder.join(kept).symlink_metadata().is_ok() => fs::rename(folder.join(kept), path),
        // Moved away above, or never touched.
        _ if change.moved_from.is_some() => Ok(()),
        Some(_) => Ok(()), // the repair was cut off before it touched this file
        None => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

impl Change {
    /// The record is a file that anybody can edit: no path in it may lead out of the folder.
    fn stays_inside(&self) -> bool {
        let names = [Some(&self.path), self.kept_as.as_ref(), self.moved_from.as_ref()];
        names
            .into_iter()
            .flatten()
            .all(|name| crate::Reference::parse(name).is_ok())
    }

    fn check_undoable(&self, folder: &Path) -> Result<(), RepairError> {
        let path = folder.join(&self.path);
        let returned = self.moved_from.as_ref();
        if returned.is_some_and(|from| folder.join(from).exists()) && path.exists() && self.kept_as.is_none()
        {
            // Something else was put where the file came from.
            return Err(RepairError::ChangedSince {
                path: self.path.clone(),
            });
        }
        let size = fs::metadata(&path).ok().map(|meta| meta.len());
        let kept = self.kept_as.as_ref();
        let kept_is_there = kept.is_none_or(|name| folder.join(name).symlink_metadata().is_ok());
        match size {
            Some(size) if size != self.size && kept_is_there => Err(RepairError::ChangedSince {
                path: self.path.clone(),
            }),
            Some(size) if size == self.size && !kept_is_there => Err(RepairError::KeptFileGone {
                path: kept.cloned().unwrap_or_default(),
            }),
            _ => Ok(()),
        }
    }
}
