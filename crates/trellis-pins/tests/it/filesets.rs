//! Nix copies what its lists name and nothing else, so a file that the sources include and no list has is
//! absent where the program, its lints or its tests are built: nix/rust.nix and nix/checks/rust-tests.nix.
//!
//! Included is what `include_str!` and `include_bytes!` name. Read at run time by tests is what a string
//! names: a path from the repository's root, or from a crate's folder with `../../` before it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::kit::{read, repository};

/// A Rust file, by path from the repository.
struct Source {
    path: PathBuf,
    text: String,
    /// Whether it is compiled for tests alone.
    for_tests: bool,
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(repository().join(&folder)).expect("the folder is in the repository") {
            let path = folder.join(entry.expect("a folder that was opened can be listed").file_name());
            if repository().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = read(path.to_str().expect("the repository's names are UTF-8"));
                let test_module = path.file_name().is_some_and(|name| name == "tests.rs");
                let for_tests = test_module || path.components().any(|part| part.as_os_str() == "tests");
                found.push(Source {
                    path,
                    text,
                    for_tests,
                });
            }
        }
    }
    assert!(found.len() > 100);
    found
}

/// The path without `.` and `..`.
fn resolved(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut done, part| {
        match part {
            Component::ParentDir => {
                done.pop();
            }
            Component::Normal(name) => done.push(name),
            _ => {}
        }
        done
    })
}

/// The string literals of a text, such as stand on one line.
fn strings(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .collect()
}

/// What the `include_…!` macros of a file name; `whether` gets the text before each.
fn included(source: &Source, whether: impl Fn(&str) -> bool) -> BTreeSet<PathBuf> {
    let folder = source.path.parent().expect("a file is in a folder");
    let mut found = BTreeSet::new();
    for (at, name) in ["include_str!(", "include_bytes!("]
        .iter()
        .flat_map(|name| source.text.match_indices(name))
    {
        let (before, rest) = (&source.text[..at], &source.text[at + name.len()..]);
        let Some(path) = strings(rest.lines().next().unwrap_or_default()).first().copied() else {
            continue;
        };
        if whether(before) {
            found.insert(resolved(&folder.join(path)));
        }
    }
    found
}

/// What a Nix file's lists name with `(root + "/…")`, in the binding `name`; all of the file for "".
fn listed(file: &str, name: &str) -> Vec<PathBuf> {
    let text = read(file);
    let part = if name.is_empty() {
        &text[..]
    } else {
        let start = text
            .find(&format!(" {name} = "))
            .unwrap_or_else(|| panic!("{file} has no {name}"));
        text[start..].split_once(';').expect("a binding ends").0
    };
    part.split("(root + \"/")
        .skip(1)
        .map(|rest| PathBuf::from(rest.split('"').next().unwrap_or_default()))
        .collect()
}

fn absent(files: impl IntoIterator<Item = PathBuf>, lists: &[PathBuf]) -> Vec<PathBuf> {
    files
        .into_iter()
        .filter(|file| !lists.iter().any(|listed| file.starts_with(listed)))
        .collect()
}

/// The lists, each with those it is made of.
fn program() -> Vec<PathBuf> {
    listed("nix/rust.nix", "fileset")
}
fn lints() -> Vec<PathBuf> {
    [program(), listed("nix/rust.nix", "testsFileset")].concat()
}
fn tests() -> Vec<PathBuf> {
    [lints(), listed("nix/checks/rust-tests.nix", "")].concat()
}

#[test]
fn the_program_is_built_with_what_it_includes() {
    let files: BTreeSet<PathBuf> = sources()
        .iter()
        .filter(|source| !source.for_tests)
        // A test module in the same file comes last.
        .flat_map(|source| included(source, |before| !before.contains("#[cfg(test)]")))
        .collect();
    assert!(files.contains(Path::new("nix/pins.json")));
    assert_eq!(
        absent(files, &program()),
        Vec::<PathBuf>::new(),
        "not in nix/rust.nix, fileset"
    );
}

#[test]
fn the_lints_see_what_the_tests_include() {
    let files: BTreeSet<PathBuf> = sources()
        .iter()
        .flat_map(|source| included(source, |_| true))
        .collect();
    assert!(files.contains(Path::new("docs/http.md")));
    assert_eq!(
        absent(files, &lints()),
        Vec::<PathBuf>::new(),
        "not in nix/rust.nix, testsFileset"
    );
}

#[test]
fn the_tests_find_what_they_read() {
    let mut files = BTreeSet::new();
    for source in sources() {
        let krate: PathBuf = source.path.components().take(2).collect();
        for text in strings(&source.text) {
            let from_crate = text.starts_with("../../").then(|| resolved(&krate.join(text)));
            let from_root =
                (source.for_tests && text.contains(['/', '.'])).then(|| resolved(Path::new(text)));
            for path in from_crate.into_iter().chain(from_root) {
                let is_named = path.components().next().is_some();
                if is_named && !text.starts_with('/') && repository().join(&path).exists() {
                    files.insert(path);
                }
            }
        }
    }
    assert!(files.contains(Path::new("flake.lock")) && files.contains(Path::new("docs/nix.md")));
    assert_eq!(
        absent(files, &tests()),
        Vec::<PathBuf>::new(),
        "not in nix/checks/rust-tests.nix"
    );
}

#[test]
fn each_listed_file_is_there() {
    let gone: Vec<PathBuf> = tests()
        .into_iter()
        .filter(|path| !repository().join(path).exists())
        .collect();
    assert_eq!(gone, Vec::<PathBuf>::new());
}
