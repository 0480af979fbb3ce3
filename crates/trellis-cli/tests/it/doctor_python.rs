//! Which environment `trellis doctor` and `trellis serve` take `TRELLIS_WORKER_PYTHON` for, and `--env` that is
//! nearly right.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::trellis;

/// An environment of no packages but a broken record, by which a report of it is known.
fn environment(home: &Path, name: &str) -> PathBuf {
    let root = home.join(name);
    let record = root.join("lib/python3.12/site-packages/marker-1.0.dist-info");
    fs::create_dir_all(record).expect("a folder in the temporary one");
    fs::create_dir_all(root.join("bin")).expect("a folder in the temporary one");
    fs::write(root.join("pyvenv.cfg"), "version = 3.12.1\n").expect("a file in the temporary folder");
    let answer = format!("#!/bin/sh\necho {}\n", root.display());
    program(&root.join("bin/python3"), &answer);
    root
}

fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a temporary folder");
    fs::write(path, script).expect("a file in the temporary folder");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it was written just now");
}

/// A script that runs the environment's Python.
fn wrapper(path: &Path, root: &Path) {
    program(
        path,
        &format!("#!/bin/sh\nexec {}/bin/python3 \"$@\"\n", root.display()),
    );
}

fn doctor(home: &Path, python: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut doctor = trellis(home);
    doctor
        .env("TRELLIS_WORKER_PYTHON", python)
        .args(["doctor", "--capability", "12.0", "--json"]);
    let output = doctor.args(arguments).output().expect("the binary runs");
    let report = serde_json::from_slice(&output.stdout).expect("JSON on standard output");
    (output.status.code(), report)
}

fn kinds(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a list");
    findings
        .iter()
        .filter_map(|finding| finding["kind"].as_str())
        .collect()
}

#[test]
fn a_script_that_runs_a_python_elsewhere_is_not_taken_for_an_environment() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), "env");
    // The folder above the second one is an environment, but another.
    let other = environment(home.path(), "other");
    for script in [home.path().join("x/python"), other.join("bin/python3")] {
        fs::remove_file(&script).ok();
        wrapper(&script, &root);
        let (code, report) = doctor(home.path(), &script, &[]);
        assert_eq!(code, Some(0), "{report:#}");
        assert!(kinds(&report).contains(&"environment_untold"), "{report:#}");
        assert!(!kinds(&report).contains(&"record_unreadable"), "{report:#}");
        assert_eq!(report["environment"], Value::Null);
        assert_eq!(report["verdict"]["trellis"], "unknown");
        let because = report["verdict"]["because"].as_str().unwrap();
        assert!(
            because.starts_with("no Python environment was checked"),
            "{because}"
        );

        let (code, report) = doctor(home.path(), &script, &["--probe", "--probe-seconds", "20"]);
        assert_eq!(code, Some(2), "{report:#}");
        assert_eq!(
            report["environment"],
            root.to_str().unwrap(),
            "the probe asks the interpreter"
        );
        assert!(kinds(&report).contains(&"record_unreadable"), "{report:#}");
    }
}

#[test]
fn an_interpreter_is_found_by_path_by_name_and_behind_links() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), "env");
    let link = home.path().join("links/python");
    fs::create_dir(home.path().join("links")).unwrap();
    symlink(root.join("bin/python3"), &link).unwrap();
    let looked = |python: &Path, folder: &Path, path: Option<&Path>| {
        let mut doctor = trellis(home.path());
        doctor.current_dir(folder).env("TRELLIS_WORKER_PYTHON", python);
        if let Some(path) = path {
            doctor.env("PATH", path);
        }
        let arguments = ["doctor", "--capability", "12.0", "--json"];
        let output = doctor.args(arguments).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            kinds(&report).contains(&"record_unreadable"),
            "{}: {report:#}",
            python.display()
        );
    };
    let bin = root.join("bin");
    looked(Path::new("env/bin/python3"), home.path(), None);
    looked(Path::new("bin/python3"), &root, None);
    looked(Path::new("./python3"), &bin, None);
    looked(Path::new("python3"), home.path(), Some(&bin));
    // A real program behind the link: a copy of any will do.
    fs::remove_file(bin.join("python3")).unwrap();
    fs::remove_file(root.join("pyvenv.cfg")).unwrap();
    fs::copy("/bin/true", bin.join("python3")).unwrap();
    looked(&link, home.path(), None);
}

#[test]
fn a_server_starts_with_a_python_whose_environment_is_not_told() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), "env");
    let script = home.path().join("x/python");
    wrapper(&script, &root);
    // The address is taken, so that the server ends right after the checks.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut serve: Command = trellis(home.path());
    serve
        .env("TRELLIS_WORKER_PYTHON", &script)
        .args(["serve", "--port", &port]);
    let output = serve.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !text.contains("holds no Python packages") && text.contains(&port),
        "{text}"
    );
}

#[test]
fn a_path_into_an_environment_names_the_environment() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), "env");
    for below in ["bin/python3", "bin", "lib/python3.12", "bin/pyhton3"] {
        let path = root.join(below);
        let output = trellis(home.path())
            .args(["doctor", "--env"])
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text.contains(&format!("hint: did you mean `{}`?", root.display())),
            "{below}: {text}"
        );
    }
}

#[test]
fn the_last_line_is_one_line_whatever_a_path_holds() {
    let home = TempDir::new().unwrap();
    let mut doctor = trellis(home.path());
    doctor.env("TRELLIS_WORKER_PYTHON", "/nowhere/python3\n\u{1b}[31m");
    let output = doctor.arg("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("TRELLIS can run here: no, because `TRELLIS_WORKER_PYTHON` names"),
        "{last}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
}
