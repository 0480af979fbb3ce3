//! `trellis doctor`: the report of the real binary, its exit codes, and the refusal of `trellis serve`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::sample;
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::trellis;

/// Puts a script where an environment has its interpreter.
fn interpreter(root: &Path, script: &str) {
    let path = root.join("bin/python3");
    fs::create_dir_all(root.join("bin")).expect("a folder in the temporary one");
    fs::write(&path, script).expect("a file in the temporary folder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it was written just now");
}

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
    interpreter(&root, "#!/bin/sh\n");
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
        format!("checkpoint `ckpts/{name}` is named in pipeline.json for `slat_flow_model` but is missing");
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

/// A module whose every name, call and sum works and is true, and equals 256: a GPU on which all goes well.
const WILLING: &str = "\
import sys
class Willing:
    __path__ = []
    __version__ = '2.9.1+cu128'
    def __getattr__(self, name): return self
    def __call__(self, *_, **__): return self
    def __float__(self): return 256.0
    def __iter__(self): return iter(())
    def get_device_name(self, _): return 'NVIDIA GeForce RTX 5090 Laptop GPU'
    def is_available(self): return True
    def same(self, *_): return self
    __matmul__ = __mul__ = __mod__ = __floordiv__ = __getitem__ = same
sys.modules[__name__] = Willing()
sys.modules[__name__ + '.pytorch'] = sys.modules[__name__ + '.ops'] = Willing()
";

/// An environment that stands in for a whole one; what TRELLIS prints is as it prints it.
fn willing_environment(home: &Path) -> PathBuf {
    let root = home.join("env");
    let packages = root.join("lib/python3.12/site-packages");
    let write = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a temporary folder");
        fs::write(path, text).expect("a file in the temporary folder");
    };
    for module in ["torch", "xformers", "spconv", "kaolin"] {
        write(packages.join(module).join("__init__.py"), WILLING);
    }
    let sparse = "print('[SPARSE] Backend: spconv, Attention: xformers')\n";
    write(packages.join("trellis/modules/sparse.py"), sparse);
    let attention = "print('[ATTENTION] Using backend: xformers')\n";
    write(packages.join("trellis/modules/attention.py"), attention);
    let pipeline = "class TrellisImageTo3DPipeline:\n    from_pretrained = print\n";
    write(packages.join("trellis/pipelines.py"), pipeline);
    for module in [
        "trellis/utils/postprocessing_utils",
        "utils3d/torch",
        "diff_gaussian_rasterization",
    ] {
        write(packages.join(module).with_extension("py"), "");
    }
    let python = format!(
        "#!/bin/sh\nPYTHONPATH={} exec python3 \"$@\"\n",
        packages.display()
    );
    interpreter(&root, &python);
    root
}

#[test]
fn the_probe_prints_the_lines_of_the_notes() {
    let home = TempDir::new().unwrap();
    let root = willing_environment(home.path());
    sample::write_model(&home.path().join("model")).unwrap();
    let mut doctor = trellis(home.path());
    doctor.args(["doctor", "--probe", "--model", "model", "--env"]);
    let output = doctor.arg(&root).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in [
        "PyTorch: 2.9.1+cu128",
        "CUDA available: True",
        "Device: NVIDIA GeForce RTX 5090 Laptop GPU",
        "[SPARSE] Backend: spconv, Attention: xformers",
        "[ATTENTION] Using backend: xformers",
        "✓ Pipeline loaded successfully",
        "✓ sparse convolution: works",
    ] {
        assert!(lines.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_probe_takes_no_other_environments_interpreter() {
    let home = TempDir::new().unwrap();
    let root = willing_environment(home.path());
    fs::create_dir_all(home.path().join("other/lib/python3.12/site-packages")).unwrap();
    let mut doctor = trellis(home.path());
    let text = refused(
        doctor
            .env("TRELLIS_WORKER_PYTHON", root.join("bin/python3"))
            .args(["doctor", "--probe", "--env", "other"]),
    );
    assert!(
        text.starts_with("error: there is no interpreter to probe with\n"),
        "{text}"
    );
}

#[test]
fn without_an_environment_the_report_is_short_and_says_how_to_name_one() {
    let home = TempDir::new().unwrap();
    let output = trellis(home.path()).arg("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() < 25, "{text}");
    assert!(
        text.contains("To check a Python environment, name it with `--env`.\n"),
        "{text}"
    );
}

/// What a call says that could not start.
fn refused(call: &mut Command) -> String {
    let output = call.output().expect("the binary runs");
    let text = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert_eq!(output.status.code(), Some(2), "{text}");
    text
}

#[test]
fn what_is_no_environment_is_an_error_with_a_hint() {
    let home = TempDir::new().unwrap();
    let text = refused(trellis(home.path()).args(["doctor", "--env", "absent"]));
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
    let text = refused(serve.args(["serve", "--port", "0"]));
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
    let text = refused(trellis(home.path()).args(["serve", "--port", "0", "--model", "model"]));
    let name = sample::MISSING_IN_NOTES;
    let sentence =
        format!("✗ checkpoint `ckpts/{name}` is named in pipeline.json for `slat_flow_model` but is missing");
    assert!(
        text.contains(&sentence) && !text.contains("name it with `--env`"),
        "{text}"
    );
}

#[test]
fn a_server_refuses_a_model_folder_repaired_as_in_the_notes() {
    let home = TempDir::new().unwrap();
    sample::write_model_of_the_notes(&home.path().join("model")).unwrap();
    let mut repair = trellis(home.path());
    let repaired = repair
        .env("HF_HUB_OFFLINE", "1")
        .args(["model", "repair", "model", "--substitute-flow-model"])
        .output()
        .unwrap();
    assert!(
        repaired.status.success(),
        "{}",
        String::from_utf8_lossy(&repaired.stderr)
    );
    let text = refused(trellis(home.path()).args(["serve", "--port", "0", "--model", "model"]));
    assert!(text.contains("Input shape mismatch"), "{text}");
}

/// The report of `doctor` with these arguments and variables: exit code, text, and the JSON form.
fn reported(home: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> (Option<i32>, String, Value) {
    let run = |json: bool| {
        let mut doctor = trellis(home);
        doctor
            .arg("doctor")
            .args(arguments)
            .args(json.then_some("--json"));
        doctor
            .envs(variables.iter().copied())
            .output()
            .expect("the binary runs")
    };
    let (text, json) = (run(false), run(true));
    assert_eq!(text.status.code(), json.status.code(), "text and JSON agree");
    let report = serde_json::from_slice(&json.stdout).expect("JSON on standard output");
    (
        text.status.code(),
        String::from_utf8(text.stdout).expect("text is UTF-8"),
        report,
    )
}

#[test]
fn the_last_line_is_the_verdict_and_the_exit_code_follows_it() {
    let home = TempDir::new().unwrap();
    let root = broken_environment(home.path());
    let root = root.to_str().unwrap();
    let (code, text, report) = reported(home.path(), &["--capability", "12.0", "--env", root], &[]);
    let last = text.lines().last().unwrap();
    let because = report["verdict"]["because"].as_str().unwrap();
    assert_eq!(
        last,
        format!("TRELLIS can run here: no, because {because}; the preview: yes")
    );
    assert_eq!(
        (code, &report["verdict"]["trellis"]),
        (Some(2), &Value::from("no"))
    );
    // With nothing but a capability nothing was looked at that could be wrong.
    let (code, text, report) = reported(home.path(), &["--capability", "12.0"], &[]);
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("TRELLIS can run here: unknown, because no Python environment was checked"),
        "{last}"
    );
    assert_eq!(
        (code, &report["verdict"]["trellis"]),
        (Some(0), &Value::from("unknown"))
    );
}

#[test]
fn an_interpreter_that_is_not_there_is_said_first_and_alone() {
    let home = TempDir::new().unwrap();
    let absent = home.path().join("absent/bin/python3");
    let (code, text, report) = reported(home.path(), &[], &[("TRELLIS_WORKER_PYTHON", &absent)]);
    let sentence = format!(
        "`TRELLIS_WORKER_PYTHON` names `{}`, which does not exist",
        absent.display()
    );
    assert_eq!(code, Some(2));
    assert!(text.contains(&sentence), "{text}");
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    assert_eq!(report["findings"][0]["kind"], "interpreter_missing");
    let last = format!("TRELLIS can run here: no, because {sentence}; the preview: yes");
    assert_eq!(text.lines().last(), Some(last.as_str()));
}

#[test]
fn a_virtual_environment_whose_python_is_gone() {
    let home = TempDir::new().unwrap();
    let root = home.path().join("venv");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::create_dir_all(root.join("lib/python3.12/site-packages")).unwrap();
    std::os::unix::fs::symlink("/gone/python3.12", root.join("bin/python3")).unwrap();
    let python = root.join("bin/python3");
    for (arguments, variables) in [
        (vec!["--env", root.to_str().unwrap()], vec![]),
        (vec![], vec![("TRELLIS_WORKER_PYTHON", python.as_path())]),
        (vec![], vec![("VIRTUAL_ENV", root.as_path())]),
    ] {
        let (code, text, report) = reported(home.path(), &arguments, &variables);
        assert_eq!(code, Some(2));
        assert!(
            text.contains("`bin/python3` is a broken link: `/gone/python3.12` does not exist"),
            "{text}"
        );
        assert_eq!(report["findings"].as_array().unwrap().len(), 1);
        assert_eq!(report["findings"][0]["kind"], "interpreter_gone");
    }
}

#[test]
fn a_server_names_the_interpreter_that_is_not_there() {
    let home = TempDir::new().unwrap();
    let mut serve = trellis(home.path());
    serve.env("TRELLIS_WORKER_PYTHON", home.path().join("absent/bin/python3"));
    let text = refused(serve.args(["serve", "--port", "0"]));
    assert!(
        text.contains("absent/bin/python3`, which does not exist"),
        "{text}"
    );
}

#[test]
fn the_probe_says_that_numba_was_compiling() {
    let home = TempDir::new().unwrap();
    let root = willing_environment(home.path());
    let packages = root.join("lib/python3.12/site-packages");
    fs::create_dir_all(packages.join("numba")).unwrap();
    fs::write(
        packages.join("numba/compiler.py"),
        "import time\ntime.sleep(600)\n",
    )
    .unwrap();
    fs::write(packages.join("trellis/pipelines.py"), "import numba.compiler\n").unwrap();
    let mut doctor = trellis(home.path());
    doctor.args(["doctor", "--probe", "--probe-seconds", "1", "--json", "--env"]);
    let output = doctor.arg(&root).output().unwrap();
    let findings = findings(&output);
    let late = of_kind(&findings, "probe_timed_out");
    assert_eq!(late["subject"], "TRELLIS");
    let message = late["message"].as_str().unwrap();
    assert!(
        message.starts_with("did not finish within 5 s: numba was compiling"),
        "{message}"
    );
    assert!(late["advice"].as_str().unwrap().contains("NUMBA_CACHE_DIR"));
}

#[test]
fn without_torch_the_probe_tells_the_first_cause_and_stops() {
    let home = TempDir::new().unwrap();
    let root = willing_environment(home.path());
    let torch = root.join("lib/python3.12/site-packages/torch/__init__.py");
    fs::write(torch, "from absent_package import x\n").unwrap();
    let mut doctor = trellis(home.path());
    doctor.args(["doctor", "--probe", "--json", "--env"]);
    let output = doctor.arg(&root).output().unwrap();
    let findings = findings(&output);
    let probed: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["check"] == "probe")
        .collect();
    assert_eq!(probed.len(), 1);
    assert_eq!(
        probed[0]["message"],
        "failed: the package `absent_package` is not installed"
    );
}
