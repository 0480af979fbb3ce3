//! Where the model files of this machine live, by the rules of the programs that read them.
//!
//! Sources: `huggingface_hub/constants.py`, `torch/hub.py`, `rembg/sessions/base.py`. A variable that is set
//! to nothing counts as not set. Not here: whether anything is there (`cache.rs`, `extras.rs`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders that TRELLIS's libraries read models from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `HF_HOME`: the hub client's folder; its `token` file is here.
    pub hub_home: PathBuf,
    /// `HF_HUB_CACHE`: repositories as `models--ORG--NAME`.
    pub hub_cache: PathBuf,
    /// `TORCH_HOME/hub`: where `torch.hub` keeps code and, under `checkpoints`, weights.
    pub torch_hub: PathBuf,
    /// `U2NET_HOME`: where rembg keeps `u2net.onnx`.
    pub u2net: PathBuf,
    /// Where we keep notes of our own, such as the last check of a folder.
    pub state: PathBuf,
}

impl Places {
    /// Reads the variables through `get`, so that a test needs no real environment. Without `HOME` the paths
    /// start at `/`.
    pub fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = set("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let expand = |path: PathBuf| match path.strip_prefix("~") {
            Ok(rest) => home.join(rest),
            Err(_) => path,
        };
        let under = |name: &str, rest: &str| set(name).map_or_else(|| home.join(rest), expand);
        let cache = under("XDG_CACHE_HOME", ".cache");
        let hub_home = set("HF_HOME").map_or_else(|| cache.join("huggingface"), expand);
        let hub_cache = set("HF_HUB_CACHE")
            .or_else(|| set("HUGGINGFACE_HUB_CACHE"))
            .map_or_else(|| hub_home.join("hub"), expand);
        let torch_home = set("TORCH_HOME").map_or_else(|| cache.join("torch"), expand);
        let rembg_base = set("XDG_DATA_HOME").map_or_else(|| home.clone(), expand);
        Self {
            hub_cache,
            hub_home,
            torch_hub: torch_home.join("hub"),
            u2net: set("U2NET_HOME").map_or_else(|| rembg_base.join(".u2net"), expand),
            state: under("XDG_STATE_HOME", ".local/state").join("trellis"),
        }
    }

    /// All places under one folder: for tests, and for a machine prepared in advance.
    pub fn under(root: &Path) -> Self {
        Self {
            hub_home: root.join("huggingface"),
            hub_cache: root.join("huggingface/hub"),
            torch_hub: root.join("torch/hub"),
            u2net: root.join("u2net"),
            state: root.join("state"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Places {
        Places::from_env(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn defaults_are_the_libraries_own() {
        let found = places(&[("HOME", "/home/ada")]);
        assert_eq!(found.hub_cache, Path::new("/home/ada/.cache/huggingface/hub"));
        assert_eq!(found.torch_hub, Path::new("/home/ada/.cache/torch/hub"));
        assert_eq!(found.u2net, Path::new("/home/ada/.u2net"));
    }

    #[test]
    fn the_narrower_variable_wins_and_a_tilde_is_expanded() {
        let found = places(&[
            ("HOME", "/home/ada"),
            ("HF_HOME", "~/hf"),
            ("HF_HUB_CACHE", "/models/hub"),
            ("TORCH_HOME", "~/torch"),
            ("U2NET_HOME", ""),
            ("XDG_DATA_HOME", "/data"),
        ]);
        assert_eq!(found.hub_home, Path::new("/home/ada/hf"));
        assert_eq!(found.hub_cache, Path::new("/models/hub"));
        assert_eq!(found.torch_hub, Path::new("/home/ada/torch/hub"));
        assert_eq!(found.u2net, Path::new("/data/.u2net"));
    }
}
