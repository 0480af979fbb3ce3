//! `trellis doctor`: the report of the real binary, its exit codes, and the refusal of `trellis serve`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use trellis_models::sample;

use crate::kit::trellis;

/// An environment whose kaolin needs a symbol that only an older torch defines.
fn broken_environment(home: &Path) -> PathBuf {
    let root = home.join("env");
    let packages = root.join("lib/python3.12/site-packages");
    fs::create_dir_all(packages.join("kaolin")).expect("a folder in the temporary one");
    let source = home.join("kaolin.c");
    let symbol = "_ZNK3c106SymInt6sym_neERKS0_";
    let code = format!("extern void f(void) __asm__(\"{symbol}\"); void *use(void) {{ return f; }}\n");
    fs::write(&source, code).expect("a file in the temporary folder");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-nostdlib", "-o"]);
    let status = cc.arg(packages.join("kaolin/_C.so")).arg(&source).status();
    assert!(status.expect("tests/setup installs a C compiler").success());
    root
}

fn findings(output: &Output) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON on standard output");
    report["findings"].as_array().expect("a list").clone()
}

fn of_kind<'list>(findings: &'list [Value], kind: &str) -> &'list Value {
    let mut found = findings.iter().filter(|finding| finding["kind"] == kind);
    found
        .next()
        .unwrap_or_else(|| panic!("no {kind} in {findings:#?}"))
}

#[test]
fn a_pipeline_that_names_a_missing_checkpoint() {
    let home = TempDir::new().unwrap();
    sample::write_model_of_the_notes(&home.path().join("model")).unwrap();
    let mut doctor = trellis(home.path());
    let output = doctor
        .args(["doctor", "--model", "model", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let findings = findings(&output);
    let missing = of_kind(&findings, "checkpoint_missing");
    assert_eq!(missing["check"], "model");
    let name = sample::MISSING_IN_NOTES;
    let sentence =
        format!("checkpoint `ckpts/{name}` is named in pipeline.json for `slat_flow_model` but is not there");
    assert_eq!(missing["message"], sentence.as_str());
}

#[test]
fn a_sound_model_and_one_that_is_not_there() {
    let home = TempDir::new().unwrap();
    sample::write_model(&home.path().join("model")).unwrap();
    let mut doctor = trellis(home.path());
    let output = doctor
        .env("TRELLIS_MODEL_PATH", "model")
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    assert_eq!(of_kind(&findings(&output), "model_sound")["level"], "ok");
    let mut doctor = trellis(home.path());
    let output = doctor
        .args(["doctor", "--model", "org/none", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(of_kind(&findings(&output), "not_cached")["level"], "error");
}

#[test]
fn a_broken_environment_exits_with_2_and_the_symbol() {
    let home = TempDir::new().unwrap();
    let root = broken_environment(home.path());
    let mut doctor = trellis(home.path());
    let output = doctor
        .args(["doctor", "--capability", "12.0", "--env"])
        .arg(&root)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("✗ kaolin/_C.so: needs 1 C++ symbol that nothing here defines"),
        "{text}"
    );
    assert!(
        text.contains("_ZNK3c106SymInt6sym_neERKS0_  c10::SymInt::sym_ne"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "no colour where nobody sees it");
}

#[test]
fn without_an_environment_the_report_is_short_and_says_how_to_name_one() {
    let home = TempDir::new().unwrap();
    let output = trellis(home.path()).arg("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() < 25, "{text}");
    assert!(
        text.ends_with("To check a Python environment, name it with `--env`.\n"),
        "{text}"
    );
}

#[test]
fn what_is_no_environment_is_an_error_with_a_hint() {
    let home = TempDir::new().unwrap();
    let output = trellis(home.path())
        .args(["doctor", "--env", "absent"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text.starts_with("error: cannot read the environment absent\n"),
        "{text}"
    );
    assert!(text.contains("hint: name a folder that exists"), "{text}");
}

#[test]
fn a_server_refuses_to_start_on_a_broken_environment_in_the_same_words() {
    let home = TempDir::new().unwrap();
    let root = broken_environment(home.path());
    let mut serve = trellis(home.path());
    serve.env("TRELLIS_WORKER_PYTHON", root.join("bin/python3"));
    let output = serve.args(["serve", "--port", "0"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("✗ kaolin/_C.so: needs 1 C++ symbol that nothing here defines"),
        "{text}"
    );
    assert!(text.contains("`--skip-doctor` starts anyway"), "{text}");
}

#[test]
fn a_server_refuses_a_model_folder_that_names_a_missing_checkpoint() {
    let home = TempDir::new().unwrap();
    sample::write_model_of_the_notes(&home.path().join("model")).unwrap();
    let mut serve = trellis(home.path());
    let output = serve
        .args(["serve", "--port", "0", "--model", "model"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let name = sample::MISSING_IN_NOTES;
    let sentence = format!(
        "✗ checkpoint `ckpts/{name}` is named in pipeline.json for `slat_flow_model` but is not there"
    );
    assert!(text.contains(&sentence), "{text}");
}

#[test]
fn a_server_refuses_a_model_folder_repaired_as_in_the_notes() {
    let home = TempDir::new().unwrap();
    sample::write_model_of_the_notes(&home.path().join("model")).unwrap();
    let mut repair = trellis(home.path());
    let repaired = repair
        .env("HF_HUB_OFFLINE", "1")
        .args(["model", "repair", "model", "--as-in-notes"])
        .output()
        .unwrap();
    assert!(
        repaired.status.success(),
        "{}",
        String::from_utf8_lossy(&repaired.stderr)
    );
    let mut serve = trellis(home.path());
    let output = serve
        .args(["serve", "--port", "0", "--model", "model"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("Input shape mismatch"), "{text}");
}
