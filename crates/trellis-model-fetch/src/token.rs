//! The hub's access token: where it is found.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use trellis_core::Secret;

/// From `HF_TOKEN`, its older name, the file in `HF_TOKEN_PATH`, or `token` in the hub's folder.
pub(crate) fn find(get: impl Fn(&str) -> Option<OsString>, hub_home: &Path) -> Option<Secret> {
    let variable = |name| Secret::parse(get(name)?.to_str()?);
    let file = || {
        let path = get("HF_TOKEN_PATH").map_or_else(|| hub_home.join("token"), PathBuf::from);
        Secret::parse(&fs::read_to_string(path).ok()?)
    };
    variable("HF_TOKEN")
        .or_else(|| variable("HUGGING_FACE_HUB_TOKEN"))
        .or_else(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_before_the_file() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let found = find(|_| None, home.path()).unwrap();
        assert_eq!(found.reveal(), "hf_file");
        let variable = |name: &str| (name == "HF_TOKEN").then(|| OsString::from("hf_variable"));
        let found = find(variable, home.path()).unwrap();
        assert_eq!(found.reveal(), "hf_variable");
    }
}
