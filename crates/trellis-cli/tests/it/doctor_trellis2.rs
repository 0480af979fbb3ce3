//! The probe of TRELLIS.2's parts, with stand-ins for them: what works, and what is said of what does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::trellis;
use crate::sample;

/// A module whose every name, call and sum works and is worth `VALUE`; a product of matrices is 256.
const WILLING: &str = "\
import sys
class Willing:
    __path__ = []
    __version__ = '2.9.1+cu128'
    NAME = 'fa2F@2.5.7-pt'
    def __init__(self, value=VALUE): self.value = value
    def __getattr__(self, name): return Willing(self.value)
    def __call__(self, *_, **__): return self
    def __float__(self): return self.value
    def __iter__(self): return iter(())
    def __lt__(self, other): return self.value < other
    def __matmul__(self, _): return Willing(256.0)
    def get_device_name(self, _): return 'NVIDIA GeForce RTX 5090 Laptop GPU'
    def is_available(self): return GPU
    def same(self, *_): return self
    __eq__ = __sub__ = __mul__ = __mod__ = __floordiv__ = __getitem__ = same
for name in NAMES:
    sys.modules['.'.join([__name__, *name])] = Willing()
";

const TORCH: &str = "[(), ('nn',), ('nn', 'functional')]";
const XFORMERS: &str =
    "[(), ('ops',), ('ops', 'fmha'), ('ops', 'fmha', 'attn_bias'), ('ops', 'fmha', 'dispatch')]";

fn willing(names: &str, value: &str, has_gpu: &str) -> String {
    let with = [("NAMES", names), ("VALUE", value), ("return GPU", has_gpu)];
    with.iter().fold(WILLING.to_owned(), |text, (name, value)| {
        text.replace(name, value)
    })
}

/// What stands in for each package, by its path.
fn packages() -> Vec<(&'static str, String)> {
    let torch = willing(TORCH, "0.001", "return True");
    let conv = "class Sums:\n    def max(self): return 432.0\n    def min(self): return 128.0\n\
                def set_algorithm(_name): pass\n\
                def sparse_submanifold_conv3d(*_): return Sums(), None\n";
    let triton = "__version__ = '3.5.1'\ndef launch(*_, **__): pass\n\
                  class jit:\n    def __init__(self, _): pass\n    def __getitem__(self, _): return launch\n";
    let cumesh = "class CuMesh:\n    def init(self, *_): pass\n    unify_face_orientations = init\n    \
                  def read(self): return [], [0] * 12\n\
                  class cuBVH:\n    def __init__(self, *_): pass\n    \
                  def unsigned_distance(self, _): return (1.0,)\n";
    let mut all = vec![
        ("torch/__init__.py", torch),
        ("xformers/__init__.py", willing(XFORMERS, "0.001", "return True")),
        ("triton/__init__.py", triton.to_owned()),
        ("triton/language.py", "constexpr = int\n".to_owned()),
        ("flex_gemm/ops/spconv.py", conv.to_owned()),
        ("cumesh/__init__.py", cumesh.to_owned()),
        (
            "o_voxel/serialize.py",
            "def encode_seq(given): return given\ndecode_seq = encode_seq\n".to_owned(),
        ),
        ("o_voxel/__init__.py", "from . import serialize\n".to_owned()),
    ];
    for empty in [
        "flex_gemm/__init__.py",
        "flex_gemm/ops/__init__.py",
        "flex_gemm/ops/grid_sample.py",
        "o_voxel/convert.py",
        "o_voxel/postprocess.py",
        "trellis2/__init__.py",
        "trellis2/models.py",
        "trellis2/pipelines.py",
        "trellis2/representations.py",
        "trellis2/modules/__init__.py",
        "trellis2/modules/sparse.py",
        "trellis2/modules/attention.py",
    ] {
        all.push((empty, String::new()));
    }
    all
}

fn environment(home: &Path, changed: Option<(&'static str, String)>) -> PathBuf {
    let root = home.join("env");
    let folder = root.join("lib/python3.12/site-packages");
    let write = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a temporary folder");
        fs::write(path, text).expect("a file in the temporary folder");
    };
    for (name, text) in packages().into_iter().chain(changed) {
        write(folder.join(name), &text);
    }
    let python = root.join("bin/python3");
    let text = format!("#!/bin/sh\nPYTHONPATH={} exec python3 \"$@\"\n", folder.display());
    write(python.clone(), &text);
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("it was written just now");
    root
}

/// What the probe says of each step.
fn probed(changed: Option<(&'static str, String)>) -> Vec<Value> {
    let home = TempDir::new().expect("a temporary folder");
    let root = environment(home.path(), changed);
    let mut doctor = trellis(home.path());
    doctor.args(["doctor", "--probe", "--probe-seconds", "60", "--json", "--env"]);
    let output = doctor.arg(&root).output().expect("the binary runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("a list").iter();
    findings
        .filter(|finding| finding["check"] == "probe")
        .cloned()
        .collect()
}

fn of_step<'a>(probed: &'a [Value], subject: &str) -> &'a Value {
    let found = probed.iter().find(|finding| finding["subject"] == subject);
    found.unwrap_or_else(|| panic!("{subject} is not among {probed:#?}"))
}

#[test]
fn each_part_of_trellis_2_is_called_and_the_operators_of_attention_are_named() {
    let probed = probed(None);
    for finding in &probed {
        assert_eq!(finding["kind"], "probe_works", "{finding:#}");
    }
    // Each check's findings are in the order of their subjects.
    let subjects: Vec<&str> = probed
        .iter()
        .filter_map(|finding| finding["subject"].as_str())
        .collect();
    assert_eq!(
        subjects,
        [
            "CuMesh",
            "FlexGEMM",
            "TRELLIS.2",
            "Triton",
            "attention of TRELLIS.2",
            "matrix product",
            "o-voxel",
            "torch"
        ]
    );
    let without = of_step(&probed, "TRELLIS.2")["evidence"].to_string();
    assert!(without.contains("nvdiffrast: not installed"), "{without}");
    let attention = of_step(&probed, "attention of TRELLIS.2")["evidence"].to_string();
    for name in ["self-attention", "cross-attention", "rows of different lengths"] {
        let line = format!("{name}: fa2F@2.5.7-pt, apart from SDPA by 1.0e-03");
        assert!(attention.contains(&line), "{attention}");
    }
}

#[test]
fn what_fails_is_said_plainly_and_the_other_parts_are_still_called() {
    let compiler =
        "raise RuntimeError('Failed to find C compiler. Please specify via CC environment variable.')";
    let no_compiler = packages()[2].1.replace(
        "def launch(*_, **__): pass",
        &format!("def launch(*_, **__): {compiler}"),
    );
    // In two pieces, for a traceback shows the line as well.
    let symbol =
        "raise ImportError('/env/o_voxel/_C.so: undefined ' 'symbol: _ZNK3c106SymInt6sym_neERKS0_')\n";
    for (changed, step, kind, message) in [
        (
            ("xformers/__init__.py", willing(XFORMERS, "0.5", "return True")),
            "attention of TRELLIS.2",
            "probe_failed",
            "failed: AssertionError: self-attention: fa2F@2.5.7-pt, apart from SDPA by 5.0e-01",
        ),
        (
            ("triton/__init__.py", no_compiler),
            "Triton",
            "no_compiler",
            "failed: Triton found no C compiler, with which it builds what starts its kernels",
        ),
        (
            (
                "flex_gemm/ops/spconv.py",
                packages()[4].1.replace("432.0", "431.0"),
            ),
            "FlexGEMM",
            "probe_failed",
            "failed: AssertionError: a sparse convolution of FlexGEMM gave wrong sums",
        ),
        (
            ("cumesh/__init__.py", "__version__ = '0.1.0'\n".to_owned()),
            "CuMesh",
            "probe_failed",
            "failed: AttributeError: this `cumesh` is another package of that name: that of TRELLIS.2 has `CuMesh` and \
             `cuBVH`",
        ),
        (
            ("o_voxel/__init__.py", symbol.to_owned()),
            "o-voxel",
            "missing_symbols",
            "failed to load: nothing defines `_ZNK3c106SymInt6sym_neERKS0_`",
        ),
        (
            (
                "trellis2/pipelines.py",
                "import nvdiffrast.torch as dr\nimport transformers_of_old\n".to_owned(),
            ),
            "TRELLIS.2",
            "not_installed",
            "failed: the package `transformers_of_old` is not installed",
        ),
    ] {
        let probed = probed(Some(changed));
        let failed: Vec<&Value> = probed
            .iter()
            .filter(|finding| finding["level"] == "error")
            .collect();
        assert_eq!(failed.len(), 1, "{probed:#?}");
        assert_eq!(of_step(&probed, step), failed[0]);
        assert_eq!(
            (&failed[0]["kind"], &failed[0]["message"]),
            (&kind.into(), &message.into())
        );
        assert_eq!(probed.len(), 8, "all steps were tried");
    }
}

#[test]
fn without_a_gpu_what_needs_one_is_left_out() {
    let probed = probed(Some((
        "torch/__init__.py",
        willing(TORCH, "0.001", "return False"),
    )));
    let left_out = probed
        .iter()
        .filter(|finding| finding["kind"] == "probe_left_out");
    assert_eq!(left_out.count(), 6, "{probed:#?}");
    assert_eq!(of_step(&probed, "TRELLIS.2")["kind"], "probe_works");
}

/// What the doctor says with these variables and arguments.
fn report(home: &Path, variables: &[(&str, &Path)], arguments: &[&str]) -> Value {
    let mut doctor = trellis(home);
    doctor
        .args(["doctor", "--capability", "12.0", "--json"])
        .args(arguments);
    let output = doctor.envs(variables.iter().copied()).output();
    serde_json::from_slice(&output.expect("the binary runs").stdout).expect("JSON")
}

fn said(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("a list").iter();
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    findings
        .map(|finding| format!("{} {}", text(finding, "kind"), text(finding, "subject")))
        .collect()
}

#[test]
fn the_environment_and_the_folder_are_those_of_trellis_2_where_only_they_are_named() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), None);
    let (python, folder) = (root.join("bin/python3"), home.path().join("absent"));
    let named = [
        ("TRELLIS_TRELLIS2_PYTHON", python.as_path()),
        ("TRELLIS_TRELLIS2_MODEL", folder.as_path()),
    ];
    let told = report(home.path(), &named, &[]);
    assert_eq!(told["environment"], root.to_str().unwrap());
    assert_eq!(told["models"], serde_json::json!(["trellis2-4b"]));
    assert!(
        said(&told).contains(&format!("not_a_folder {}", folder.display())),
        "{:#?}",
        said(&told)
    );

    let first = home.path().join("first/bin/python3");
    let both = [named[0], ("TRELLIS_WORKER_PYTHON", first.as_path())];
    let told = report(home.path(), &both, &[]);
    assert_eq!(said(&told), ["interpreter_missing TRELLIS_WORKER_PYTHON"]);
    let told = report(home.path(), &both, &["--model-name", "trellis2-4b"]);
    assert_eq!(told["environment"], root.to_str().unwrap());
}

#[test]
fn an_environment_for_trellis_2_that_lacks_it_is_not_judged_for_the_other_model() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), None);
    let packages = root.join("lib/python3.12/site-packages");
    fs::remove_dir_all(packages.join("trellis2")).unwrap();
    let asked = ["--env", root.to_str().unwrap(), "--model-name", "trellis2-4b"];
    let told = report(home.path(), &[], &asked);
    assert_eq!(told["models"], serde_json::json!(["trellis2-4b"]));
    let said = said(&told);
    assert!(said.contains(&"not_installed TRELLIS.2".to_owned()), "{said:#?}");
    assert!(!said.iter().any(|line| line.contains("kaolin")), "{said:#?}");
}

#[test]
fn an_environment_that_is_asked_for_is_not_judged_for_the_folder_of_a_variable() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), None);
    let folder = home.path().join("model");
    sample::write_model(&folder).unwrap();
    let asked = ["--env", root.to_str().unwrap()];
    let variables = [("TRELLIS_MODEL_PATH", folder.as_path())];
    let told = report(home.path(), &variables, &asked);
    assert_eq!(told["models"], serde_json::json!(["trellis2-4b"]));
    let said = said(&told);
    assert!(
        said.contains(&format!("model_sound {}", folder.display())),
        "{said:#?}"
    );
    assert!(!said.contains(&"not_installed TRELLIS".to_owned()), "{said:#?}");
}

#[test]
fn the_python_is_that_of_the_model_whose_folder_is_asked_for() {
    let home = TempDir::new().unwrap();
    let root = environment(home.path(), None);
    let (first, second) = (home.path().join("first/bin/python3"), root.join("bin/python3"));
    let folder = home.path().join("model");
    sample::write_trellis2(&folder).unwrap();
    let both = [
        ("TRELLIS_WORKER_PYTHON", first.as_path()),
        ("TRELLIS_TRELLIS2_PYTHON", second.as_path()),
    ];
    let told = report(home.path(), &both, &["--model", folder.to_str().unwrap()]);
    assert_eq!(told["environment"], root.to_str().unwrap());
    assert_eq!(told["models"], serde_json::json!(["trellis2-4b"]));
}

#[test]
fn a_folder_of_another_model_is_refused_as_the_server_does() {
    let home = TempDir::new().unwrap();
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    sample::write_model(&first).unwrap();
    sample::write_trellis2(&second).unwrap();
    let asked = ["--model-name", "trellis2-4b", "--model", first.to_str().unwrap()];
    let told = said(&report(home.path(), &[], &asked));
    assert!(
        told.contains(&format!("other_family {}", first.display())),
        "{told:#?}"
    );
    assert!(
        !told.iter().any(|line| line.starts_with("model_sound")),
        "{told:#?}"
    );
    let variables = [("TRELLIS_MODEL_PATH", second.as_path())];
    let told = said(&report(home.path(), &variables, &[]));
    assert!(
        told.contains(&format!("other_family {}", second.display())),
        "{told:#?}"
    );
}

/// What `trellis serve` says that does not start.
fn refused(home: &Path, model: &Path, python: &Path) -> String {
    let mut serve = trellis(home);
    serve
        .args(["serve", "--port", "0", "--trellis2-model"])
        .arg(model);
    let output = serve.arg("--trellis2-python").arg(python).output();
    let output = output.expect("the binary runs");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("`--skip-doctor` starts anyway"), "{text}");
    text
}

#[test]
fn a_server_refuses_a_python_that_is_not_there_or_lacks_trellis_2() {
    let home = TempDir::new().unwrap();
    let model = home.path().join("model");
    fs::create_dir(&model).unwrap();
    let text = refused(home.path(), &model, Path::new("/nowhere/python3"));
    assert!(
        text.contains("`--trellis2-python` names `/nowhere/python3`, which does not exist"),
        "{text}"
    );
    let root = environment(home.path(), None);
    fs::remove_dir_all(root.join("lib/python3.12/site-packages/trellis2")).unwrap();
    let text = refused(home.path(), &model, &root.join("bin/python3"));
    assert!(text.contains("✗ TRELLIS.2: is not in this environment"), "{text}");
    assert!(!text.contains("kaolin"), "{text}");
}
