//! What download tools leave beside a file that they did not finish.
//!
//! aria2 writes the file itself from the start and keeps `NAME.aria2` until every piece is there; browsers,
//! curl's users, wget, the hub client and this program write under another name and rename at the end.

use std::fs;
use std::path::{Path, PathBuf};

/// Endings of files that a download is still written to.
const PARTIAL: [&str; 9] = [
    ".part",
    ".partial",
    ".crdownload",
    ".incomplete",
    ".download",
    ".opdownload",
    ".tmp",
    ".!ut",
    ".trellis-part",
];

/// The ending of the file that says which pieces aria2 has.
const CONTROL: &str = ".aria2";

/// A file that a download tool left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Leftover {
    /// aria2 has not finished `file`, which is beside its control file, however long it looks.
    Unfinished { left: PathBuf, file: PathBuf },
    /// A part of a file that was written under another name.
    Partial { left: PathBuf },
}

/// Looks in folders, not below them, and returns what was found by path.
pub fn find(folders: &[PathBuf]) -> Vec<Leftover> {
    let mut found: Vec<Leftover> = folders.iter().flat_map(|folder| in_folder(folder)).collect();
    found.sort_by(|a, b| a.left().cmp(b.left()));
    found.dedup();
    found
}

impl Leftover {
    /// The file that was left.
    pub fn left(&self) -> &Path {
        match self {
            Self::Unfinished { left, .. } | Self::Partial { left } => left,
        }
    }
}

fn in_folder(folder: &Path) -> Vec<Leftover> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.is_file()).filter_map(of).collect()
}

fn of(left: PathBuf) -> Option<Leftover> {
    let name = left.file_name()?.to_str()?;
    let ends_in = |ending: &str| {
        let at = name.len().checked_sub(ending.len())?;
        let (stem, end) = name.split_at_checked(at)?;
        end.eq_ignore_ascii_case(ending).then_some(stem)
    };
    if let Some(stem) = ends_in(CONTROL) {
        let file = left.with_file_name(stem);
        return Some(Leftover::Unfinished { file, left });
    }
    let partial = PARTIAL.iter().any(|ending| ends_in(ending).is_some());
    partial.then_some(Leftover::Partial { left })
}
