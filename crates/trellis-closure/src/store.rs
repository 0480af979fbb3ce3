//! A store on disk: its paths, what is known of each, and closures.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix_compat::store_path::{STORE_DIR, StorePath};
use rayon::prelude::*;

use crate::database::Database;
use crate::error::ClosureError;
use crate::nar;
use crate::path_info::{PathInfo, Source};
use crate::recipe;
use crate::scan::{Candidates, Scanner};

/// A Nix store. Opened, asked and dropped again: what Nix changes later is not seen.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    database: Option<Database>,
    /// The paths that are there; listed when a scan first needs them.
    listed: OnceLock<Candidates>,
}

/// A path with everything that it needs to run, or for a recipe to be built.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Closure {
    /// The path that was asked for.
    pub start: StorePath<String>,
    /// All of it, the start included, in the order of their absolute paths.
    pub paths: Vec<PathInfo>,
}

impl Closure {
    /// Bytes of all archives.
    pub fn nar_size(&self) -> u64 {
        self.paths.iter().map(|path| path.nar_size).sum()
    }

    /// What is known of the path that was asked for.
    ///
    /// # Panics
    ///
    /// If it was taken out of `paths`.
    pub fn start_info(&self) -> &PathInfo {
        let start = self.paths.iter().find(|info| info.path == self.start);
        start.expect("a closure holds its start")
    }
}

impl Store {
    /// The store of this machine.
    pub fn system() -> Result<Self, ClosureError> {
        Self::open(Path::new("/"))
    }

    /// The store whose files lie in `root/nix/store`; its paths are still called `/nix/store/…`. Uses
    /// `root/nix/var/nix/db/db.sqlite` if that is there.
    pub fn open(root: &Path) -> Result<Self, ClosureError> {
        let store = within(root, STORE_DIR);
        if !store.is_dir() {
            return Err(ClosureError::StoreMissing { store });
        }
        let database = within(root, "/nix/var/nix/db/db.sqlite");
        let there = database.try_exists().map_err(|source| ClosureError::Unreadable {
            path: database.clone(),
            source,
        })?;
        Ok(Self {
            root: root.to_owned(),
            database: there.then(|| Database::open(&database)).transpose()?,
            listed: OnceLock::new(),
        })
    }

    /// Where what is known comes from: the database, or a scan of the files.
    pub fn source(&self) -> Source {
        match self.database {
            Some(_) => Source::Database,
            None => Source::Scan,
        }
    }

    /// Whether the database has newer changes, in a journal that this user may not read.
    pub fn is_behind(&self) -> bool {
        self.database.as_ref().is_some_and(Database::is_behind)
    }

    /// The folder that holds `nix/store`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the files of a path lie.
    pub fn real_path(&self, path: &StorePath<String>) -> PathBuf {
        within(&self.root, &path.to_absolute_path())
    }

    /// What is known of a path; `None` where the store does not have it. Without a database its files are
    /// hashed and scanned.
    pub fn info(&self, path: &StorePath<String>) -> Result<Option<PathInfo>, ClosureError> {
        match &self.database {
            Some(database) => database.info(path),
            None => self.scanned(path),
        }
    }

    /// The path with all that it refers to, directly or not.
    pub fn closure(&self, start: &StorePath<String>) -> Result<Closure, ClosureError> {
        let mut seen = HashSet::from([start.clone()]);
        let mut open = vec![start.clone()];
        let mut paths = Vec::new();
        while !open.is_empty() {
            let infos = self.infos(&open)?;
            let references = infos.iter().flat_map(|info| &info.references);
            open = references
                .filter(|reference| seen.insert((*reference).clone()))
                .cloned()
                .collect();
            paths.extend(infos);
        }
        paths.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        Ok(Closure {
            start: start.clone(),
            paths,
        })
    }

    /// What is known of each; a missing path is an error.
    fn infos(&self, paths: &[StorePath<String>]) -> Result<Vec<PathInfo>, ClosureError> {
        let known = |path: &StorePath<String>| {
            self.info(path)?.ok_or_else(|| {
                let path = path.clone();
                if self.is_behind() {
                    ClosureError::NotInOldDatabase { path }
                } else {
                    ClosureError::NotInStore { path }
                }
            })
        };
        match self.database {
            Some(_) => paths.iter().map(known).collect(),
            // Files are read: one path a task, handed out one by one.
            None => paths.iter().par_bridge().map(known).collect(),
        }
    }

    fn scanned(&self, path: &StorePath<String>) -> Result<Option<PathInfo>, ClosureError> {
        let files = self.real_path(path);
        if files.symlink_metadata().is_err() {
            return Ok(None);
        }
        let candidates = self.candidates()?;
        let (nar_hash, nar_size, hits) = nar::scan_path(&files, Scanner::new(candidates))?;
        Ok(Some(PathInfo {
            path: path.clone(),
            nar_hash,
            nar_size,
            references: recipe::references(path, &files).unwrap_or_else(|| candidates.paths(&hits)),
            deriver: None,
            signatures: Vec::new(),
            ca: None,
            registered: None,
            built_here: false,
            source: Source::Scan,
        }))
    }

    /// Every path of the store. Names that are no store path (`.links`, locks) are not looked at.
    fn candidates(&self) -> Result<&Candidates, ClosureError> {
        if let Some(listed) = self.listed.get() {
            return Ok(listed);
        }
        let store = within(&self.root, STORE_DIR);
        let unreadable = |source| ClosureError::Unreadable {
            path: store.clone(),
            source,
        };
        let mut paths = Vec::new();
        for entry in store.read_dir().map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            paths.extend(name.to_str().and_then(|name| name.parse().ok()));
        }
        Ok(self.listed.get_or_init(|| Candidates::new(paths)))
    }
}

/// `root` with an absolute path below it.
fn within(root: &Path, absolute: &str) -> PathBuf {
    root.join(absolute.trim_start_matches('/'))
}
