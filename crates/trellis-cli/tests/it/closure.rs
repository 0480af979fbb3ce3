//! `trellis closure`: the real binary on small stores made by the test.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../../../trellis-closure/tests/kit/mod.rs"]
mod kit;

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use self::kit::{Packages, Sample};
use crate::kit::{describe, filters, trellis};

/// Calls with the sample as the store, described one after another.
fn described(sample: &Sample, calls: &[&[&str]]) -> String {
    let home = TempDir::new().unwrap();
    let text = calls.iter().map(|arguments| {
        let mut call = trellis(home.path());
        call.arg("closure")
            .args(*arguments)
            .arg("--store")
            .arg(sample.root());
        format!(
            "$ trellis closure {}\n{}",
            arguments.join(" "),
            describe(&mut call)
        )
    });
    text.collect::<Vec<_>>().join("\n")
}

fn snapshot(name: &str, sample: &Sample, calls: &[&[&str]]) {
    let text = described(sample, calls);
    filters(sample.root()).bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn a_closure_is_listed_shown_and_verified() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    let app = packages.app.to_absolute_path();
    sample.set(&packages.data, "ultimate", 1);
    let calls: [&[&str]; 5] = [
        &["list", &app],
        &["list", &app, "--size"],
        &["show", &app],
        &["verify", &app],
        &["list", "--json", &packages.data.to_string()],
    ];
    snapshot("closure_sound", &sample, &calls);
}

#[test]
fn what_is_wrong_is_named_and_the_exit_code_says_so() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    sample.tamper(&packages.library);
    fs::remove_dir_all(sample.files(&packages.data)).unwrap();
    let app = packages.app.to_absolute_path();
    let key = "strict-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
    let calls: [&[&str]; 3] = [
        &["verify", &app],
        &["verify", &app, "--json"],
        &["verify", &packages.app.to_string(), "--trusted-key", key],
    ];
    snapshot("closure_damaged", &sample, &calls);
}

#[test]
fn without_a_database_the_files_are_scanned() {
    let sample = Sample::without_database();
    let packages = Packages::new(&sample);
    let app = packages.app.to_absolute_path();
    let calls: [&[&str]; 3] = [
        &["list", &app],
        &["show", &app],
        &["verify", &packages.data.to_string()],
    ];
    snapshot("closure_scanned", &sample, &calls);
}

#[test]
fn what_changed_is_a_table() {
    let sample = Sample::new();
    let libc = sample.package('1', "libc-2.40", &[]);
    let newer_libc = sample.package('2', "libc-2.41", &[]);
    let zlib = sample.package('3', "zlib-1.3", &[&libc]);
    let rebuilt_zlib = sample.package('4', "zlib-1.3", &[&newer_libc]);
    let gone = sample.package('5', "curl-8.0", &[]);
    let new = sample.package('6', "wget-1.0", &[]);
    let old = sample.package('7', "app-1", &[&zlib, &gone]).to_absolute_path();
    let new = sample
        .package('8', "app-2", &[&rebuilt_zlib, &new])
        .to_absolute_path();
    let calls: [&[&str]; 4] = [
        &["diff", &old, &new],
        &["diff", &old, &new, "--rebuilt"],
        &["diff", &old, &old],
        &["diff", &old, &new, "--json"],
    ];
    snapshot("closure_diff", &sample, &calls);
}

#[test]
fn what_cannot_be_done_is_said_with_a_hint() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    let absent = format!("/nix/store/{}-absent", "f".repeat(32));
    let calls: [&[&str]; 6] = [
        &["list"],
        &["list", &absent],
        &["list", "/etc"],
        &["list", "--json", &absent],
        &["verify", &packages.app.to_string(), "--trusted-key", "nonsense"],
        &["verify", &packages.app.to_string(), "--binary-cache", "absent"],
    ];
    snapshot("closure_refused", &sample, &calls);
    let home = TempDir::new().unwrap();
    let text = describe(trellis(home.path()).args(["closure", "list", "--store", "absent"]));
    filters(home.path()).bind(|| insta::assert_snapshot!("closure_no_store", text));
}

/// Every path on its own line, and nothing else on standard output: it can be piped.
#[test]
fn json_and_text_name_the_same_paths() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    let home = TempDir::new().unwrap();
    let call = |json: bool| {
        let mut list = trellis(home.path());
        list.args(["closure", "list", &packages.app.to_string(), "--store"])
            .arg(sample.root());
        if json {
            list.arg("--json");
        }
        list.output().unwrap().stdout
    };
    let listed: Value = serde_json::from_slice(&call(true)).unwrap();
    let paths = listed["paths"].as_array().unwrap().iter();
    let paths: Vec<&str> = paths.map(|info| info["path"].as_str().unwrap()).collect();
    let text = String::from_utf8(call(false)).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), paths);
    assert_eq!(paths.len(), 3);
}
