//! The worker's environment, built from nothing: what is not listed here does not reach it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// What is taken over from the server's own environment where it is set there.
const TAKEN_OVER: &[&str] = &[
    // The system's.
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    // Where libraries are, as the Nix wrapper or the user says.
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "TRITON_LIBCUDA_PATH",
    "TRITON_CACHE_DIR",
    // The driver's cache of compiled kernels must outlive the process.
    "CUDA_CACHE_PATH",
    "CUDA_CACHE_MAXSIZE",
    "WARP_CACHE_PATH",
    // Pinned files.
    "TORCH_HOME",
    "U2NET_HOME",
    "NUMBA_CACHE_DIR",
    // How much of the processor libraries take.
    "OMP_NUM_THREADS",
];

/// What holds unless the server's environment says otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("ATTN_BACKEND", "xformers"),
    ("SPARSE_BACKEND", "spconv"),
    // `auto` measures at run time, and what it picks may need a compiler that does not know the GPU.
    ("SPCONV_ALGO", "native"),
    // Read by DINOv2 only: it runs in fp32, and xformers has no fp32 operator beyond capability 9.0.
    ("XFORMERS_DISABLED", "1"),
    // Freed blocks can be joined again: fewer failures of large allocations on a nearly full GPU.
    ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
];

/// Folders that hold the driver's libraries and nothing else, on NixOS and under WSL.
const DRIVER_FOLDERS: &[&str] = &["/run/opengl-driver/lib", "/usr/lib/wsl/lib"];

/// Variables for a worker. `own` is the server's environment, `set` what belongs to this worker.
pub(crate) fn environment(
    own: impl Fn(&str) -> Option<OsString>,
    is_folder: impl Fn(&Path) -> bool,
    set: Vec<(&'static str, OsString)>,
) -> BTreeMap<&'static str, OsString> {
    let mut variables: BTreeMap<&'static str, OsString> = TAKEN_OVER
        .iter()
        .filter_map(|name| Some((*name, own(name)?)))
        .collect();
    for (name, value) in DEFAULTS {
        variables.insert(name, own(name).unwrap_or_else(|| OsString::from(value)));
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
    variables.insert("HF_HUB_OFFLINE", "1".into());
    variables.insert("PYTHONUNBUFFERED", "1".into());
    // Python's own hashes are part of what must repeat.
    variables.insert("PYTHONHASHSEED", "0".into());
    // Indices and UUIDs then mean the same as in NVML.
    variables.insert("CUDA_DEVICE_ORDER", "PCI_BUS_ID".into());
    variables.extend(set);
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_gets_through() {
        let own = |name: &str| match name {
            "PATH" => Some("/bin".into()),
            "ATTN_BACKEND" => Some("sdpa".into()),
            "HF_TOKEN" | "AWS_SECRET_ACCESS_KEY" | "PYTHONPATH" | "LD_PRELOAD" => Some("secret".into()),
            _ => None,
        };
        let driver = |folder: &Path| folder == Path::new("/run/opengl-driver/lib");
        let variables = environment(own, driver, vec![("CUDA_VISIBLE_DEVICES", "GPU-1".into())]);
        insta::assert_debug_snapshot!(variables);
    }
}
