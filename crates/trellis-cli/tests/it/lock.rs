//! `trellis lock`: the repository's own files, and what is wrong with changed ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::{describe, filters, trellis};

const LOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flake.lock");

fn snapshot(name: &str, home: &TempDir, arguments: &[&str]) {
    let text = describe(trellis(home.path()).arg("lock").args(arguments));
    let mut settings = filters(home.path());
    settings.add_filter(r"\d+ days? old", "[AGE] old");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A folder with the repository's lock, changed.
fn changed(change: impl Fn(&str) -> String) -> TempDir {
    let home = TempDir::new().unwrap();
    let text = fs::read_to_string(LOCK).unwrap();
    fs::write(home.path().join("flake.lock"), change(&text)).unwrap();
    home
}

#[test]
fn the_lock_is_shown_with_the_pins_of_this_program() {
    let home = changed(|text| {
        // Two inputs are enough to see the form.
        let mut lock: Value = serde_json::from_str(text).unwrap();
        let keep = |name: &str| ["root", "nixpkgs", "kaolin-src"].contains(&name);
        lock["nodes"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| keep(name));
        lock["nodes"]["root"]["inputs"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| keep(name));
        lock["nodes"]["root"]["inputs"]["again"] = serde_json::json!(["nixpkgs"]);
        lock.to_string()
    });
    let output = trellis(home.path()).args(["lock", "show"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (inputs, pins) = text
        .split_once("\nthe pins of this program: ")
        .expect("both files are shown");
    let mut settings = filters(home.path());
    settings.add_filter(r"\d+ days? old", "[AGE] old");
    settings.bind(|| insta::assert_snapshot!("lock_show", inputs));
    let pinned = &trellis_pins::Pins::embedded();
    for (name, wheel) in &pinned.wheels {
        let row = pins
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        assert!(row.is_some_and(|row| row.ends_with(&wheel.version)), "{name}");
    }
    assert!(
        pins.starts_with(&format!("Python {}", pinned.python.version)),
        "{pins}"
    );
}

#[test]
fn the_repository_s_files_agree() {
    let home = TempDir::new().unwrap();
    let output = trellis(home.path())
        .args(["lock", "check", LOCK, "--json", "--max-age", "1000000"])
        .output()
        .unwrap();
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["passed"], true, "{outcome:#}");
    assert_eq!(outcome["findings"].as_array().unwrap().len(), 0, "{outcome:#}");
    let pins = outcome["pins_from"].as_str().unwrap();
    assert!(Path::new(pins).ends_with("nix/pins.json"), "{pins}");
}

#[test]
fn each_departure_has_its_sentence() {
    let home = changed(|text| {
        let crane = &trellis_pins::Pins::embedded().crane;
        let shorter = text
            .replace("\"crane\": \"crane\",", "")
            .replace(&crane.rev, "main");
        shorter.replace("\"ref\": \"nixos-26.05\"", "\"ref\": \"master\"")
    });
    snapshot("lock_check", &home, &["check", "--max-age", "100000"]);
}

#[test]
fn a_lock_that_cannot_be_used_is_said() {
    let home = changed(|text| text.replace("\"crane\": \"crane\"", "\"crane\": [\"cranes\"]"));
    snapshot("lock_follows_nothing", &home, &["show"]);
    let home = TempDir::new().unwrap();
    snapshot("lock_missing", &home, &["check"]);
    fs::write(home.path().join("flake.lock"), "[]").unwrap();
    snapshot("lock_shape", &home, &["check", "--json"]);
}
