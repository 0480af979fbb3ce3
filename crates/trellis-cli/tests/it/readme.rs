//! README.md: its commands do what it says, with the program of this build in place of `cargo run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::client::is_glb;
use crate::kit::server::Server;
use crate::kit::trellis;

const README: &str = include_str!("../../../../README.md");
const DOCS: &str = include_str!("../../../../docs/http.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The README's commands for curl.
fn curl() -> &'static str {
    let blocks = README.split("```sh\n").skip(1);
    let mut blocks = blocks.map(|rest| rest.split("\n```").next().unwrap_or(rest));
    blocks
        .find(|block| block.contains("curl "))
        .expect("commands for curl")
}

/// A folder with the sample picture in it, as a clone has it.
fn clone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be filled");
    fs::create_dir(folder.path().join("samples")).expect("a folder can be filled");
    fs::copy(
        root().join("samples/duck.png"),
        folder.path().join("samples/duck.png"),
    )
    .expect("a folder can be filled");
    folder
}

#[test]
fn the_commands_for_curl_make_a_glb_of_the_sample() {
    let home = clone();
    let server = Server::start(home.path(), &[]);
    let script = curl().replace("http://127.0.0.1:8000", &server.address);
    assert!(
        script.contains(&server.address) && script.contains("--fail-with-body"),
        "{script}"
    );
    let run = Command::new("sh")
        .args(["-c", &script])
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(is_glb(&fs::read(home.path().join("duck.glb")).unwrap()));
}

#[test]
fn readme_docs_and_server_show_the_same_commands() {
    let example = trellis_server::Example {
        address: "http://127.0.0.1:8000",
        socket: None,
        picture: "samples/duck.png",
        output: "duck.glb",
        key_variable: None,
    };
    assert_eq!(curl(), example.commands());
    assert!(DOCS.contains(&example.commands()));
}

#[test]
fn the_command_without_a_server_makes_a_glb_of_the_sample() {
    let home = clone();
    let line = README
        .lines()
        .find(|line| line.starts_with("$ cargo run "))
        .expect("a command for cargo");
    let (cargo, arguments) = line.split_once(" -- ").expect("arguments of the program");
    let made = trellis(home.path()).args(arguments.split(' ')).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(is_glb(&fs::read(home.path().join("duck.glb")).unwrap()));
    // `make run` and the README's command build the same, so that the second one needs no build of its own.
    let rules = fs::read_to_string(root().join("Makefile")).unwrap();
    let build = cargo.strip_prefix("$ ").unwrap();
    assert!(
        rules.contains(&format!("\t{build} -- serve\n")),
        "{build}\n{rules}"
    );
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(build.contains(" --profile quick ") && manifest.contains("\n[profile.quick]\n"));
}

#[test]
fn the_rust_version_is_the_one_that_the_manifest_asks_for() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, rest) = manifest.split_once("\nrust-version = \"").unwrap();
    let version = rest.split('"').next().unwrap();
    assert!(
        README.contains(&format!("Rust {version} or newer")),
        "Rust {version}"
    );
}

#[test]
fn the_sample_is_small() {
    let size = fs::metadata(root().join("samples/duck.png")).unwrap().len();
    assert!(size < 200_000, "{size} bytes");
}
