//! CUDA runtimes of different major versions in one process.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::AbiProblem;
use crate::library_index::{Id, LibraryIndex};

/// Looks at the runtimes that compiled extensions reach.
pub(super) fn check(index: &LibraryIndex, extensions: &[Id]) -> Option<AbiProblem> {
    let mut users: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for id in index.reachable(extensions) {
        let entry = &index.entries[id];
        for need in &entry.library.needed {
            if let Some(major) = runtime_major(need) {
                users.entry(major).or_default().insert(&entry.name);
            }
        }
    }
    (users.len() > 1).then(|| AbiProblem::TwoCudaRuntimes {
        versions: users.keys().cloned().collect(),
        users: users
            .iter()
            .filter_map(|(major, users)| Some(format!("{} needs CUDA {major}", users.first()?)))
            .collect(),
    })
}

/// 12 for `libcudart.so.12` and for a bundled copy such as `libcudart-53d54daa.so.12.6.68`.
fn runtime_major(library: &str) -> Option<String> {
    let rest = library.strip_prefix("libcudart")?;
    let (_, version) = rest.split_once(".so.")?;
    version.split('.').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version_of_bundled_copies_too() {
        assert_eq!(runtime_major("libcudart.so.12").as_deref(), Some("12"));
        assert_eq!(
            runtime_major("libcudart-53d54daa.so.12.6.68").as_deref(),
            Some("12")
        );
        assert_eq!(runtime_major("libcudart.so.11.0").as_deref(), Some("11"));
        assert_eq!(runtime_major("libcublas.so.12"), None);
    }
}
