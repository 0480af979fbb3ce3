//! What `check` found, as data: the list of checkpoints and the problems.

use std::cmp::Reverse;
use std::path::PathBuf;

use serde::Serialize;
use trellis_core::{Explain as _, Model, Severity};

use crate::cache::Snapshot;
use crate::problem::Problem;

/// The outcome of a check.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The folder that was read.
    pub folder: PathBuf,
    /// What it is in a hub cache, if it is there.
    pub snapshot: Option<Snapshot>,
    /// The pipeline's class, if pipeline.json could be read.
    pub pipeline: Option<String>,
    /// The model that it is of, if it is a known one.
    pub model: Option<Model>,
    /// Those that pipeline.json names, and those that are there besides, by name.
    pub checkpoints: Vec<Checkpoint>,
    /// What is read besides the folder.
    pub extras: Vec<ExtraFound>,
    /// Whether every byte was hashed, or only headers and sizes were read.
    pub hashed: bool,
    /// Errors first.
    pub problems: Vec<Problem>,
}

/// A checkpoint of the folder, whole or not.
#[derive(Debug, Serialize)]
pub struct Checkpoint {
    /// As `pipeline.json` names it, or as it would.
    pub name: String,
    /// The roles that name it.
    pub roles: Vec<String>,
    /// Its files are there.
    pub present: bool,
    /// Nothing was found to be wrong with it.
    pub sound: bool,
    /// The class in its configuration.
    pub class: Option<String>,
    /// The element types of its tensors.
    pub dtypes: Vec<String>,
    /// Bytes of its weights.
    pub bytes: Option<u64>,
    /// Whether it has no configuration and is built by the one that this program knows.
    pub built_in_config: bool,
}

/// Something besides the folder.
#[derive(Debug, Serialize)]
pub struct ExtraFound {
    /// A stable name.
    pub name: &'static str,
    /// Where it is looked for.
    pub path: PathBuf,
    /// Whether it is there.
    pub present: bool,
    /// Whether it is of the right kind and whole, as far as it was looked into.
    pub sound: bool,
}

impl Report {
    /// Adds problems and puts errors first, otherwise as found.
    pub fn add(&mut self, found: Vec<Problem>) {
        self.problems.extend(found);
        self.problems.sort_by_key(|problem| Reverse(problem.severity()));
    }

    /// No errors; there may be warnings.
    pub fn passed(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// How many problems are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of_it = self.problems.iter().filter(|p| p.severity() == severity);
        of_it.count()
    }
}
