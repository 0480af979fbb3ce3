//! The worker's environment, built from nothing: what is not listed in `environment.json` does not reach it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use trellis_core::DRIVER_FOLDERS;

/// The lists, which Nix reads as well. Each entry has its reason beside it.
static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    serde_json::from_str(include_str!("environment.json")).expect("a test of this file parses the lists")
});

#[derive(Debug, Deserialize)]
struct Lists {
    /// What holds unless the server's environment says otherwise.
    defaults: Vec<Variable>,
    /// What holds whatever the server's environment says.
    fixed: Vec<Variable>,
    /// What is taken over from the server's own environment where it is set there.
    taken_over: Vec<TakenOver>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct TakenOver {
    names: Vec<String>,
}

/// A variable of the server's environment; an empty one counts as not set.
pub(crate) fn own(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Variables for a worker. `own` is the server's environment, `set` what belongs to this worker.
pub(crate) fn environment(
    own: impl Fn(&str) -> Option<OsString>,
    is_folder: impl Fn(&Path) -> bool,
    set: Vec<(&'static str, OsString)>,
) -> BTreeMap<&'static str, OsString> {
    let lists = &*LISTS;
    let mut variables: BTreeMap<&'static str, OsString> = lists
        .taken_over
        .iter()
        .flat_map(|group| &group.names)
        .filter_map(|name| Some((name.as_str(), own(name)?)))
        .collect();
    for Variable { name, value } in &lists.defaults {
        variables.insert(name, own(name).unwrap_or_else(|| value.into()));
    }
    if !variables.contains_key("LD_LIBRARY_PATH") {
        let folders: Vec<&OsStr> = DRIVER_FOLDERS
            .iter()
            .filter(|folder| is_folder(Path::new(folder)))
            .map(OsStr::new)
            .collect();
        if !folders.is_empty() {
            variables.insert("LD_LIBRARY_PATH", folders.join(OsStr::new(":")));
        }
    }
    for Variable { name, value } in &lists.fixed {
        variables.insert(name, value.into());
    }
    variables.extend(set);
    variables
}

/// The variables that may be set otherwise, as they hold: what the worker computes with follows from them.
pub(crate) fn variant(own: impl Fn(&str) -> Option<OsString>) -> String {
    let held = LISTS.defaults.iter().map(|Variable { name, value }| {
        let set = own(name);
        let value = set.as_deref().map_or(value.into(), OsStr::to_string_lossy);
        format!("{name}={value}")
    });
    held.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_computed_otherwise_is_another_variant() {
        let with =
            |set: &'static str, value: &'static str| variant(|name| (name == set).then(|| value.into()));
        let usual = variant(|_| None);
        assert_eq!(with("SPCONV_ALGO", "native"), usual);
        for (name, value) in [("SPCONV_ALGO", "auto"), ("ATTN_BACKEND", "sdpa")] {
            assert_ne!(with(name, value), usual, "{name}");
        }
    }

    #[test]
    fn only_what_is_listed_gets_through() {
        let own = |name: &str| match name {
            "PATH" => Some("/bin".into()),
            "ATTN_BACKEND" => Some("sdpa".into()),
            "TRITON_PTXAS_PATH" => Some("/cuda/bin/ptxas".into()),
            "PYTHONHASHSEED" => Some("random".into()),
            "HF_TOKEN" | "AWS_SECRET_ACCESS_KEY" | "PYTHONPATH" | "LD_PRELOAD" => Some("secret".into()),
            _ => None,
        };
        let driver = |folder: &Path| folder == Path::new("/run/opengl-driver/lib");
        let variables = environment(own, driver, vec![("CUDA_VISIBLE_DEVICES", "GPU-1".into())]);
        insta::assert_debug_snapshot!(variables);
    }

    #[test]
    fn no_variable_is_listed_twice() {
        let lists = &*LISTS;
        let set = lists
            .defaults
            .iter()
            .chain(&lists.fixed)
            .map(|variable| &variable.name);
        let mut names: Vec<&String> = set
            .chain(lists.taken_over.iter().flat_map(|group| &group.names))
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
