//! What model folders this machine holds: the snapshots in the hub cache and the folders that were checked.

use std::path::Path;

use serde::Serialize;

use crate::cache::{self, Snapshot};
use crate::pipeline::Pipeline;
use crate::places::Places;
use crate::record::{LastCheck, Record};

/// A model folder.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Where it is.
    pub folder: std::path::PathBuf,
    /// What it is in the hub cache, if it is there.
    pub snapshot: Option<Snapshot>,
    /// The names that point to it, such as `main`.
    pub refs: Vec<String>,
    /// The pipeline's class.
    pub pipeline: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes, links followed.
    pub bytes: u64,
    /// When it was last checked, and how that ended.
    pub last_check: Option<LastCheck>,
}

/// Every folder with a TRELLIS pipeline: those of the cache first, then those that were checked before.
pub fn list(places: &Places) -> Vec<Listed> {
    let record = Record::read(&places.state);
    let snapshots = cache::all(&places.hub_cache);
    let mut found: Vec<Listed> = snapshots
        .into_iter()
        .filter_map(|snapshot| {
            let mut listed = read(&snapshot.folder.clone(), &record)?;
            listed.refs = cache::refs_to(&snapshot);
            listed.snapshot = Some(snapshot);
            Some(listed)
        })
        .collect();
    for folder in record.folders() {
        if found.iter().all(|listed| listed.folder != folder) {
            found.extend(read(folder, &record));
        }
    }
    found
}

fn read(folder: &Path, record: &Record) -> Option<Listed> {
    let pipeline = Pipeline::read(folder).ok()?;
    let (files, bytes) = size(folder, 4);
    Some(Listed {
        folder: folder.to_owned(),
        snapshot: None,
        refs: Vec::new(),
        pipeline: pipeline.name,
        files,
        bytes,
        last_check: record.of(folder).cloned(),
    })
}

/// Files and bytes under a folder, at most `depth` levels down: model folders have two.
fn size(folder: &Path, depth: usize) -> (u64, u64) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return (0, 0);
    };
    let mut total = (0, 0);
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let (files, bytes) = match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() => (1, meta.len()),
            Ok(meta) if meta.is_dir() && depth > 0 && !path.is_symlink() => size(&path, depth - 1),
            _ => (0, 0),
        };
        total = (total.0 + files, total.1 + bytes);
    }
    total
}
