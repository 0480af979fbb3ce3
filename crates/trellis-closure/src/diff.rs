//! What changed between two closures, package by package.
//!
//! A store path's name is `<package>-<version>[-<output>][.drv]`; where the version begins is told by the first
//! digit after a dash, as Nix does it. Recipes are packages of their own, `name.drv`.

use std::collections::{BTreeMap, BTreeSet};

use nix_compat::store_path::StorePath;
use serde::Serialize;

use crate::store::Closure;

/// What happened to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Only the second closure has it.
    Added,
    /// Only the first closure has it.
    Removed,
    /// Other versions, or other outputs.
    Changed,
    /// The same versions in other paths: built from something else.
    Rebuilt,
}

/// A package that is not the same in both closures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The package.
    pub name: String,
    /// What happened to it.
    pub kind: Kind,
    /// Its versions in the first closure, with outputs, sorted; `""` for none in the name.
    pub before: Vec<String>,
    /// The same in the second.
    pub after: Vec<String>,
    /// Bytes of its archives in the first closure.
    pub bytes_before: u64,
    /// The same in the second.
    pub bytes_after: u64,
}

/// One of two closures as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Store paths.
    pub paths: usize,
    /// Bytes of their archives.
    pub bytes: u64,
}

/// What changed between two closures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The first closure.
    pub before: Total,
    /// The second closure.
    pub after: Total,
    /// Every package that is not the same, by name.
    pub changes: Vec<Change>,
}

/// What changed from one closure to another.
pub fn diff(before: &Closure, after: &Closure) -> Diff {
    let (old, new) = (packages(before), packages(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let nothing = Package::default();
        let (old, new) = (old.get(name), new.get(name));
        let kind = match (old, new) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            (Some(old), Some(new)) if old.paths == new.paths => return None,
            (Some(old), Some(new)) if old.versions == new.versions => Kind::Rebuilt,
            _ => Kind::Changed,
        };
        let (old, new) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
        Some(Change {
            name: name.clone(),
            kind,
            before: old.versions.iter().cloned().collect(),
            after: new.versions.iter().cloned().collect(),
            bytes_before: old.bytes,
            bytes_after: new.bytes,
        })
    });
    Diff {
        before: total(before),
        after: total(after),
        changes: changes.collect(),
    }
}

fn total(closure: &Closure) -> Total {
    Total {
        paths: closure.paths.len(),
        bytes: closure.nar_size(),
    }
}

#[derive(Default)]
struct Package {
    versions: BTreeSet<String>,
    paths: BTreeSet<String>,
    bytes: u64,
}

fn packages(closure: &Closure) -> BTreeMap<String, Package> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for info in &closure.paths {
        let (name, version) = name_and_version(&info.path);
        let package = packages.entry(name).or_default();
        package.versions.insert(version);
        package.paths.insert(info.path.to_string());
        package.bytes += info.nar_size;
    }
    packages
}

/// The package, and its version with the output if there is one.
fn name_and_version(path: &StorePath<String>) -> (String, String) {
    let (stem, recipe) = match path.name().strip_suffix(".drv") {
        Some(stem) => (stem, ".drv"),
        None => (path.name().as_str(), ""),
    };
    let starts = stem.match_indices('-').map(|(at, _)| at);
    let mut starts = starts.filter(|at| stem[at + 1..].starts_with(|next: char| next.is_ascii_digit()));
    match starts.next() {
        Some(at) if at > 0 => (format!("{}{recipe}", &stem[..at]), stem[at + 1..].to_owned()),
        _ => (format!("{stem}{recipe}"), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_the_version_begins() {
        let of = |name: &str| {
            let path = format!("{}-{name}", "0".repeat(32)).parse().unwrap();
            name_and_version(&path)
        };
        let cases = [
            ("torch-2.9.1", "torch", "2.9.1"),
            ("python3.12-torch-2.9.1", "python3.12-torch", "2.9.1"),
            ("glibc-2.40-66-bin", "glibc", "2.40-66-bin"),
            (
                "mip-splatting-0-unstable-2024-12-17",
                "mip-splatting",
                "0-unstable-2024-12-17",
            ),
            ("source", "source", ""),
            ("gtk+3-1.0.drv", "gtk+3.drv", "1.0"),
            ("7zip", "7zip", ""),
            ("-1", "-1", ""),
        ];
        for (whole, name, version) in cases {
            assert_eq!(of(whole), (name.to_owned(), version.to_owned()), "{whole}");
        }
    }
}
