//! Folders for one test each, and short ways to say what was found.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sample::{self, Length};
use tempfile::TempDir;
use trellis_core::Explain as _;
use trellis_models::check::check;
use trellis_models::hash::Hashing;
use trellis_models::{Located, Places, Problem, Report};

/// Hashes without telling anybody; folders as the program does.
pub(crate) const HASHING: Hashing<'_> = Hashing {
    on_bytes: &|_| {},
    folder: &|folder| {
        let hashed = trellis_closure::hash_path(folder).map_err(std::io::Error::other);
        hashed.map(|(hash, _)| hash.to_sri_string())
    },
};

/// A machine of its own: caches and one model folder, all in a temporary folder.
pub(crate) struct Machine {
    pub(crate) root: TempDir,
    pub(crate) places: Places,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let places = Places::under(root.path());
        Self { root, places }
    }

    /// With DINOv2 and u2net in place, so that a sound model has no problems at all.
    pub(crate) fn with_extras() -> Self {
        let machine = Self::new();
        sample::write_extras(&machine.places, Length::Published).unwrap();
        machine
    }

    /// With extras that are quick to hash.
    pub(crate) fn with_small_extras() -> Self {
        let machine = Self::new();
        sample::write_extras(&machine.places, Length::Small).unwrap();
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn model(&self) -> PathBuf {
        let folder = self.path("model");
        sample::write_model(&folder).unwrap();
        folder
    }

    pub(crate) fn model_of_the_notes(&self) -> PathBuf {
        let folder = self.path("model");
        sample::write_model_of_the_notes(&folder).unwrap();
        folder
    }

    /// A snapshot in the hub cache as the Python client lays it out: links into `blobs`.
    pub(crate) fn snapshot(&self, repo: &str, revision: &str) -> PathBuf {
        let repo = trellis_models::cache::repo_folder(&self.places.hub_cache, repo);
        let files = self.path("to-be-cached");
        sample::write_model(&files).unwrap();
        let snapshot = repo.join("snapshots").join(revision);
        link_into(&files, &repo.join("blobs"), &snapshot);
        fs::create_dir_all(repo.join("refs")).unwrap();
        fs::write(repo.join("refs/main"), revision).unwrap();
        fs::remove_dir_all(files).unwrap();
        snapshot
    }

    pub(crate) fn check(&self, folder: &Path) -> Report {
        check(&located(folder), &self.places)
    }
}

fn link_into(files: &Path, blobs: &Path, snapshot: &Path) {
    fs::create_dir_all(blobs).unwrap();
    fs::create_dir_all(snapshot).unwrap();
    for entry in fs::read_dir(files).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            link_into(&path, blobs, &snapshot.join(name));
        } else {
            let blob = blobs.join(name);
            fs::copy(&path, &blob).unwrap();
            std::os::unix::fs::symlink(blob, snapshot.join(name)).unwrap();
        }
    }
}

pub(crate) fn located(folder: &Path) -> Located {
    Located {
        folder: folder.to_owned(),
        snapshot: trellis_models::cache::snapshot_of(folder),
    }
}

/// `kind: sentence` of each problem, with the temporary folder written as `~`.
pub(crate) fn lines(problems: &[Problem], root: &Path) -> Vec<String> {
    let line = |p: &Problem| format!("{}: {}", p.kind(), p.sentence());
    let clean = |text: String| text.replace(&root.display().to_string(), "~");
    problems.iter().map(line).map(clean).collect()
}
