//! Paths of the repository, and its Nix files.

use std::path::{Path, PathBuf};

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `.nix` file below the folders that hold them, by path from the repository.
pub(crate) fn nix_files() -> Vec<(String, String)> {
    let mut found = vec![("flake.nix".to_owned(), read("flake.nix"))];
    let mut folders = vec!["nix".to_owned(), "overlays".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(repository().join(&folder)).expect("the folder is in the repository") {
            let entry = entry.expect("a folder that was opened can be listed");
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().expect("an entry has a type").is_dir() {
                folders.push(path);
            } else if Path::new(&path).extension().is_some_and(|ext| ext == "nix") {
                let text = read(&path);
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}
