//! Where downloaded files go: a plain folder, or the hub cache that Python's client reads.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use trellis_models::cache::repo_folder;

use crate::disk_space;
use crate::error::FetchError;
use crate::listing::{Entry, is_commit};

/// Where files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Files under their names.
    Folder(PathBuf),
    /// `models--ORG--NAME/{blobs,snapshots,refs}` in this cache.
    Cache(PathBuf),
}

/// A repository's place in a layout.
#[derive(Debug, Clone)]
pub(crate) struct RepoFolder {
    layout: Layout,
    pub(crate) repo: String,
    pub(crate) commit: String,
    /// The folder that holds the files under their names.
    pub(crate) folder: PathBuf,
}

impl RepoFolder {
    /// The main repository's place, or with `inside` that of another one that it refers to: the loader looks
    /// for those under `ORG/NAME` in the folder, or in the cache.
    pub(crate) fn new(layout: &Layout, repo: &str, commit: &str, inside: bool) -> Self {
        let folder = match layout {
            Layout::Folder(folder) if inside => folder.join(repo),
            Layout::Folder(folder) => folder.clone(),
            Layout::Cache(cache) => repo_folder(cache, repo).join("snapshots").join(commit),
        };
        Self {
            layout: layout.clone(),
            repo: repo.to_owned(),
            commit: commit.to_owned(),
            folder,
        }
    }

    /// Where a file's bytes are written.
    pub(crate) fn place(&self, entry: &Entry) -> PathBuf {
        match (&self.layout, entry.digest.text()) {
            (Layout::Cache(cache), Some(digest)) => repo_folder(cache, &self.repo).join("blobs").join(digest),
            _ => self.folder.join(&entry.path),
        }
    }

    /// Makes the file appear under its name, once its bytes are in place.
    pub(crate) fn show(&self, entry: &Entry) -> Result<(), FetchError> {
        let (Layout::Cache(_), Some(digest)) = (&self.layout, entry.digest.text()) else {
            return Ok(());
        };
        let name = self.folder.join(&entry.path);
        // From snapshots/COMMIT/a/b up to the repository: one step a folder of the name, and two.
        let up = "../".repeat(entry.path.matches('/').count() + 2);
        link(Path::new(&format!("{up}blobs/{digest}")), &name)
            .map_err(|source| disk_space::write_error(&name, 0, source))
    }

    /// Notes which commit `revision` is, last of all: a reader that finds the note finds the files. A commit
    /// fetched by its id becomes `main` where there is none, so that readers that ask for no revision find it.
    pub(crate) fn finish(&self, revision: &str) -> Result<(), FetchError> {
        let Layout::Cache(cache) = &self.layout else {
            return Ok(());
        };
        let refs = repo_folder(cache, &self.repo).join("refs");
        let by_id = is_commit(revision);
        let path = refs.join(if by_id { "main" } else { revision });
        if by_id && path.exists() {
            return Ok(());
        }
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(cache))?;
            replace(&path, |temporary| fs::write(temporary, &self.commit))
        };
        write().map_err(|source| disk_space::write_error(&path, 0, source))
    }
}

/// A link at `name`, in place of whatever was there.
fn link(target: &Path, name: &Path) -> io::Result<()> {
    if fs::read_link(name).is_ok_and(|found| found == target) {
        return Ok(());
    }
    if let Some(folder) = name.parent() {
        fs::create_dir_all(folder)?;
    }
    replace(name, |temporary| symlink(target, temporary))
}

/// Makes something under a temporary name beside `path` and renames it there.
fn replace(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = TempDir::new_in(folder)?;
    let new = temporary.path().join("new");
    make(&new)?;
    fs::rename(&new, path)
}
