//! Chooses the page that the server carries: the one that `make page` built in `web/dist`, or else a plain one.
//! `TRELLIS_PAGE_DIST` names a built one elsewhere, for packages.

use std::path::{Path, PathBuf};

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo tells a build script where its crate is");
    let folder = Path::new(&folder);
    let repository = folder.ancestors().nth(2).unwrap_or(folder);
    println!("cargo::rerun-if-env-changed=TRELLIS_PAGE_DIST");
    let given = std::env::var_os("TRELLIS_PAGE_DIST").map(PathBuf::from);
    let built = given.unwrap_or_else(|| repository.join("web").join("dist"));
    let plain = folder.join("assets").join("plain");
    // Of what is missing, cargo would think at each build that it has changed.
    for watched in [&built, &plain].into_iter().filter(|folder| folder.is_dir()) {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    let chosen = if built.join("index.html").is_file() {
        built
    } else {
        plain
    };
    println!("cargo::rustc-env=TRELLIS_PAGE={}", chosen.display());
}
