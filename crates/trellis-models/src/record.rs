//! Remembers when each folder was last checked, for `list`.
//!
//! One small file in the state folder. It is a convenience: what cannot be read is forgotten, and a caller
//! may ignore that it could not be written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trellis_core::Severity;

use crate::read::read_small;
use crate::report::Report;
use crate::write::write_atomically;

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCheck {
    /// When.
    pub at: Timestamp,
    /// Errors found.
    pub errors: usize,
    /// Warnings found.
    pub warnings: usize,
    /// Whether every byte was hashed against a lock.
    pub hashed: bool,
}

/// The last check of each folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record(BTreeMap<PathBuf, LastCheck>);

impl Record {
    /// Reads the record in a state folder; an absent or unreadable one is empty.
    pub fn read(state: &Path) -> Self {
        let text = read_small(&file(state)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Notes a report under its absolute folder and writes the record.
    pub fn note(state: &Path, report: &Report, at: Timestamp) -> io::Result<()> {
        let mut record = Self::read(state);
        let check = LastCheck {
            at,
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            hashed: report.hashed,
        };
        record.0.insert(std::path::absolute(&report.folder)?, check);
        record.0.retain(|folder, _| folder.is_dir());
        let text = serde_json::to_vec_pretty(&record).map_err(io::Error::other)?;
        write_atomically(&file(state), &text)
    }

    /// The last check of a folder.
    pub fn of(&self, folder: &Path) -> Option<&LastCheck> {
        self.0.get(folder)
    }

    /// The folders that were checked.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("model-checks.json")
}
