//! Finds the shared objects below folders of packages, following links without running in circles.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// A shared object of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SharedObject {
    /// Below its folder of packages, such as `torch/lib/libc10.so`.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// All shared objects below the folders, in order of their names; also links to none, which are to be told.
pub(crate) fn shared_objects(folders: &[PathBuf]) -> Vec<SharedObject> {
    let seen = Mutex::new(HashSet::new());
    let mut found: Vec<SharedObject> = folders
        .into_par_iter()
        .flat_map(|root| {
            let mut found = Vec::new();
            let below = list(root, root, &seen, &mut found);
            let deeper: Vec<SharedObject> = below
                .into_par_iter()
                .flat_map(|folder| all_below(root, folder, &seen))
                .collect();
            found.extend(deeper);
            found
        })
        .collect();
    found.sort();
    found
}

fn all_below(root: &Path, folder: PathBuf, seen: &Mutex<HashSet<(u64, u64)>>) -> Vec<SharedObject> {
    let mut found = Vec::new();
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        open.extend(list(root, &folder, seen, &mut found));
    }
    found
}

/// Adds the shared objects of one folder and returns the folders in it.
fn list(
    root: &Path,
    folder: &Path,
    seen: &Mutex<HashSet<(u64, u64)>>,
    found: &mut Vec<SharedObject>,
) -> Vec<PathBuf> {
    let Ok(identity) = fs::metadata(folder).map(|meta| (meta.dev(), meta.ino())) else {
        return Vec::new();
    };
    if !seen
        .lock()
        .expect("no holder of this lock can panic")
        .insert(identity)
    {
        return Vec::new();
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().ok());
        let named_so = entry.file_name().to_str().is_some_and(is_shared_object);
        let is_link = kind.is_some_and(|kind| kind.is_symlink());
        if kind.is_some_and(|kind| kind.is_dir()) || (is_link && !named_so && path.is_dir()) {
            folders.push(path);
        } else if named_so && (path.is_file() || (is_link && !path.exists())) {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            found.push(SharedObject { name, path });
        }
    }
    folders
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
