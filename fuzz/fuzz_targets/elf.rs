//! Any bytes as a library of an environment: every check of files runs over it, and none panics.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use trellis_doctor::{Environment, Settings, examine};
use trellis_pins::Pins;

struct Place {
    environment: Environment,
    library: PathBuf,
    _folder: TempDir,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a temporary folder");
    let packages = folder.path().join("site-packages");
    fs::create_dir_all(packages.join("torch/lib")).expect("a folder in it");
    Place {
        environment: Environment::discover(&packages).expect("a folder of packages"),
        library: packages.join("torch/lib/libc10.so"),
        _folder: folder,
    }
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(&PLACE.library, bytes).expect("a file in the temporary folder");
    let settings = Settings {
        capability: "12.0".parse().expect("a capability"),
        library_folders: Vec::new(),
        pins: Pins::embedded(),
        model: None,
    };
    let report = examine(&PLACE.environment, &settings);
    assert!(report.findings.len() < 10_000);
});
