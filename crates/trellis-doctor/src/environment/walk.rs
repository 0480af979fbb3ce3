//! Finds the shared objects of an environment, following links without running in circles.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Environment;

/// A shared object of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SharedObject {
    /// Below its folder of packages, such as `torch/lib/libc10.so`.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// A folder to list.
struct Folder {
    path: PathBuf,
    /// The path below the packages, with a slash behind it; empty at the top.
    name: String,
    within: Within,
}

/// What of a folder counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Everything.
    All,
    /// At the top of the packages: what an interrupted pip left there, `~orch`, is not imported.
    Top,
    /// At the top of a source's folder, which has packages beside all else, such as what a build left.
    Source,
}

/// What all walkers know.
struct Ground {
    /// Device and inode of each folder that was listed.
    seen: Mutex<HashSet<(u64, u64)>>,
    /// The folders that the walk starts from.
    homes: Vec<PathBuf>,
}

impl Ground {
    /// Whether a link leads to a folder with something new: not to one that the packages themselves lie in, which
    /// may be the root of the file system.
    fn leads_on(&self, link: &Path) -> bool {
        let target = link.canonicalize().ok().filter(|target| target.is_dir());
        target.is_some_and(|target| !self.homes.iter().any(|home| home.starts_with(&target)))
    }
}

/// All shared objects of an environment, in order of their names; also links to none, which are to be told.
pub(crate) fn shared_objects(environment: &Environment) -> Vec<SharedObject> {
    let top = |path: &PathBuf, within| Folder {
        path: path.clone(),
        name: String::new(),
        within,
    };
    let added = &environment.added;
    let own = environment
        .site_packages
        .iter()
        .map(|path| top(path, Within::Top));
    let sources = added.folders.iter().map(|path| top(path, Within::Source));
    let mapped = added.mapped.iter().map(|(name, path)| Folder {
        path: path.clone(),
        name: format!("{name}/"),
        within: Within::All,
    });
    let starts: Vec<Folder> = own.chain(sources).chain(mapped).collect();
    let ground = Ground {
        seen: Mutex::new(HashSet::new()),
        homes: starts
            .iter()
            .filter_map(|start| start.path.canonicalize().ok())
            .collect(),
    };
    let mut found: Vec<SharedObject> = starts
        .into_par_iter()
        .flat_map(|start| {
            let mut found = Vec::new();
            let below = list(&start, &ground, &mut found);
            let deeper: Vec<SharedObject> = below
                .into_par_iter()
                .flat_map(|folder| all_below(folder, &ground))
                .collect();
            found.extend(deeper);
            found
        })
        .collect();
    found.sort();
    found
}

fn all_below(folder: Folder, ground: &Ground) -> Vec<SharedObject> {
    let mut found = Vec::new();
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        open.extend(list(&folder, ground, &mut found));
    }
    found
}

/// Adds the shared objects of one folder and returns the folders in it.
fn list(folder: &Folder, ground: &Ground, found: &mut Vec<SharedObject>) -> Vec<Folder> {
    let Ok(identity) = fs::metadata(&folder.path).map(|meta| (meta.dev(), meta.ino())) else {
        return Vec::new();
    };
    let new = ground
        .seen
        .lock()
        .expect("no holder of this lock can panic")
        .insert(identity);
    if !new {
        return Vec::new();
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(&folder.path).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().ok());
        let file = entry.file_name().to_string_lossy().into_owned();
        let name = format!("{}{file}", folder.name);
        let named_so = is_shared_object(&file);
        let is_link = kind.is_some_and(|kind| kind.is_symlink());
        if kind.is_some_and(|kind| kind.is_dir()) || (is_link && !named_so && ground.leads_on(&path)) {
            let counts = match folder.within {
                Within::All => true,
                Within::Top => !file.starts_with('~'),
                Within::Source => may_be_imported(&file) || path.join("__init__.py").is_file(),
            };
            if counts {
                folders.push(Folder {
                    path,
                    name: format!("{name}/"),
                    within: Within::All,
                });
            }
        } else if named_so && (path.is_file() || (is_link && !path.exists())) {
            found.push(SharedObject { name, path });
        }
    }
    folders
}

/// Whether a folder without `__init__.py` in a source's folder may be a package by its name; builds leave compiled
/// files of any age in the two that are left out.
fn may_be_imported(name: &str) -> bool {
    let identifier = name.chars().all(|c| c == '_' || c.is_alphanumeric());
    identifier && !matches!(name, "build" | "dist")
}

/// `x.so`, `x.so.1.2`, but not `x.so.py` or `x.so.txt`.
fn is_shared_object(name: &str) -> bool {
    let numbers = |version: &str| {
        let mut parts = version.split('.');
        parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    name.strip_suffix(".so").is_some()
        || name
            .split_once(".so.")
            .is_some_and(|(_, version)| numbers(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_shared_objects_by_name() {
        for name in [
            "libc10.so",
            "libcudart.so.12",
            "libcudart-53d54daa.so.12.6.68",
            "_C.abi3.so",
        ] {
            assert!(is_shared_object(name), "{name}");
        }
        for name in ["a.so.py", "a.so.", "a.sol", "so", "libx.so.1a"] {
            assert!(!is_shared_object(name), "{name}");
        }
    }
}
