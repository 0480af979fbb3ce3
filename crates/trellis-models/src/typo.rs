//! Says where a path that is not there stops being there, and which name nearby was meant.

use std::fs;
use std::path::{Path, PathBuf};

/// Slips of the finger; three edits turn one short name into any other.
const MOST_EDITS: usize = 2;

/// A folder of models has a few dozen entries.
const MOST_ENTRIES: usize = 1000;

/// A path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The last folder on the way that is there.
    pub nearest: PathBuf,
    /// What that folder does not have.
    pub part: String,
    /// The path with a similar name in the place of `part`, if that folder has one.
    pub meant: Option<PathBuf>,
}

/// Follows a path as far as it goes; `None` if all of it is there.
pub(crate) fn missing(path: &Path) -> Option<Missing> {
    let mut nearest = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        let next = nearest.join(part);
        if next.exists() {
            nearest = next;
            continue;
        }
        if nearest.as_os_str().is_empty() {
            nearest.push(".");
        }
        let part = part.as_os_str().to_string_lossy().into_owned();
        let meant = similar(&nearest, &part).map(|name| {
            let mut meant = if nearest == Path::new(".") {
                PathBuf::from(name)
            } else {
                nearest.join(name)
            };
            meant.extend(parts);
            meant
        });
        return Some(Missing { nearest, part, meant });
    }
    None
}

fn similar(folder: &Path, wanted: &str) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?.take(MOST_ENTRIES);
    let names = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        entry.path().is_dir().then_some(name)
    });
    let lower = wanted.to_lowercase();
    let rated = names.map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &lower), name));
    // Of a name of three letters, two edits leave nothing.
    let most = MOST_EDITS.min(wanted.chars().count().saturating_sub(2));
    Some(rated.filter(|(edits, _)| *edits <= most).min()?.1)
}
