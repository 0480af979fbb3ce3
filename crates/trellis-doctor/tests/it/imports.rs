//! What TRELLIS imports, by files: modules, compiled libraries, records of packages, NumPy's C API.

use std::fs;
use std::os::unix::fs::symlink;

use trellis_doctor::{Answer, Environment, EnvironmentError, Level, Looked};

use crate::kit::{Env, Lib};

/// The one error of an environment that is whole but for one thing.
fn error(env: &Env) -> String {
    let report = env.report();
    let errors: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!((report.verdict.trellis, report.exit_code(false)), (Answer::No, 2));
    format!("{} {}: {}", errors[0].kind, errors[0].subject, errors[0].message)
}

#[test]
fn a_whole_environment_has_no_errors() {
    let env = Env::whole();
    let report = env.report();
    assert_eq!(report.count(Level::Error), 0, "{}", report.to_text(false));
    assert!(env.kinds().contains(&"imports_found"));
}

#[test]
fn metadata_alone_is_no_package() {
    let env = Env::new();
    let names = [
        "torch",
        "xformers",
        "spconv-cu126",
        "kaolin",
        "nvdiffrast",
        "numpy",
        "plyfile",
    ];
    for name in names {
        env.package(name, "1.0", &[]);
    }
    let report = env.report();
    let gone = report
        .findings
        .iter()
        .filter(|finding| finding.kind == "files_gone");
    assert_eq!(gone.count(), names.len());
    assert_eq!(report.verdict.trellis, Answer::No);
}

#[test]
fn what_a_package_imports_at_its_margin_must_be_there() {
    let env = Env::whole();
    env.remove("typing_extensions.py")
        .remove("typing_extensions-4.15.0.dist-info");
    assert_eq!(
        error(&env),
        "not_installed typing_extensions: is not installed, and torch imports it"
    );
}

#[test]
fn what_trellis_imports_must_be_there() {
    for module in ["plyfile", "onnxruntime", "rembg", "easydict", "igraph"] {
        let env = Env::whole();
        env.remove(module);
        env.remove(&format!("{module}.py"))
            .remove("plyfile-1.1.3.dist-info");
        let importer = if module == "onnxruntime" {
            "rembg"
        } else {
            "TRELLIS"
        };
        assert_eq!(
            error(&env),
            format!("not_installed {module}: is not installed, and {importer} imports it")
        );
    }
}

#[test]
fn trellis_itself_and_its_submodule() {
    let env = Env::whole();
    env.remove("trellis");
    assert_eq!(error(&env), "not_installed TRELLIS: is not in this environment");
    let env = Env::whole();
    env.remove("trellis/representations/mesh/flexicubes/flexicubes.py");
    assert!(
        error(&env)
            .starts_with("submodule_empty trellis.representations.mesh.flexicubes: is an empty folder")
    );
}

#[test]
fn another_package_of_the_same_name() {
    let env = Env::whole();
    env.remove("utils3d").remove("utils3d-0.0.2.dist-info");
    env.file("utils3d/__init__.py", "x = 1\n")
        .package("utils3d", "0.1.3", &[]);
    assert_eq!(
        error(&env),
        "other_package utils3d: is another package of this name (utils3d 0.1.3): it has no module \
         `utils3d.io`, `utils3d.numpy` or `utils3d.torch`, which TRELLIS imports"
    );
}

#[test]
fn packages_must_have_their_compiled_libraries() {
    for (package, library) in [
        ("kaolin", "kaolin/_C.so"),
        ("nvdiffrast", "_nvdiffrast_c.so"),
        ("diff_gaussian_rasterization", "diff_gaussian_rasterization/_C.so"),
        ("PIL", "PIL/_imaging.so"),
        ("torch", "torch/_C.so"),
    ] {
        let env = Env::whole();
        env.remove(library);
        assert!(
            error(&env).starts_with(&format!(
                "not_compiled {package}: is installed without its compiled library"
            )),
            "{package}: {}",
            error(&env)
        );
    }
}

#[test]
fn a_library_that_trellis_loads_and_that_is_cut_short_is_an_error() {
    let env = Env::whole();
    let path = env.packages().join("xformers/_C.so");
    let bytes = fs::read(&path).unwrap();
    for length in [bytes.len() / 2, 0, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(
            error(&env).starts_with("unreadable_library xformers/_C.so: "),
            "{length}"
        );
    }
    fs::write(&path, bytes).unwrap();
    env.file("unrelated/x.so", "no library");
    assert_eq!(env.finding("unreadable_library").level, Level::Warn);
}

#[test]
fn editable_installs_and_added_folders_are_found() {
    let (env, elsewhere) = (Env::whole(), tempfile::TempDir::new().unwrap());
    fs::rename(env.packages().join("trellis"), elsewhere.path().join("trellis")).unwrap();
    let path = elsewhere.path().display().to_string();
    env.file("trellis.pth", format!("import no\n{path}\n"));
    assert_eq!(
        env.report().count(Level::Error),
        0,
        "{}",
        env.report().to_text(false)
    );
    env.remove("trellis.pth");
    env.file(
        "__editable___trellis_0_finder.py",
        format!("MAPPING: dict[str, str] = {{'trellis': '{path}/trellis'}}\n"),
    );
    assert_eq!(env.report().count(Level::Error), 0);
}

#[test]
fn imports_that_may_not_run_are_not_asked_for() {
    let env = Env::whole();
    env.file(
        "torch/__init__.py",
        "\"\"\"\nimport nothing\n\"\"\"\ntry:\n    import nothing\nexcept ImportError:\n    pass\nimport typing_extensions\n",
    );
    assert_eq!(env.report().count(Level::Error), 0);
}

#[test]
fn the_files_tell_which_of_two_records_is_real() {
    let env = Env::whole();
    env.package("torch", "2.8.0", &[]);
    let finding = env.finding("two_records");
    assert_eq!(finding.subject, "torch");
    assert_eq!(finding.message, "has 2 records; the files are those of 2.9.1");
    assert_eq!(finding.advice, "remove the folder `torch-2.8.0.dist-info`");
    assert!(!env.kinds().contains(&"not_pinned"), "the real record counts");
    env.package("easydict", "1.12", &[]);
    let record = "easydict.py,sha256=x,7\n";
    env.file("easydict-1.12.dist-info/RECORD", record);
    env.file("easydict.py", "x = 12\n")
        .package("easydict", "1.13", &[]);
    env.file("easydict-1.13.dist-info/RECORD", "easydict.py,sha256=y,8\n");
    let told: Vec<String> = env
        .report()
        .findings
        .into_iter()
        .filter(|finding| finding.kind == "two_records")
        .map(|finding| finding.advice)
        .collect();
    assert_eq!(
        told,
        [
            "remove the folder `easydict-1.13.dist-info`",
            "remove the folder `torch-2.8.0.dist-info`"
        ]
    );
}

#[test]
fn recorded_files_that_are_gone_and_what_pip_left() {
    let env = Env::whole();
    env.file(
        "plyfile-1.1.3.dist-info/RECORD",
        "plyfile.py,sha256=x,\nplyfile/more.py,sha256=y,\nplyfile/tests/x.py,,\n",
    );
    env.package("plyfile", "1.1.3", &[]);
    let finding = env.finding("files_missing");
    assert_eq!(
        (finding.level, finding.evidence),
        (Level::Error, vec!["plyfile/more.py".to_owned()])
    );
    fs::create_dir(env.packages().join("~orch")).unwrap();
    let finding = env.finding("leftover");
    assert_eq!((finding.subject.as_str(), finding.level), ("~orch", Level::Warn));
}

#[test]
fn extensions_for_numpy_1_beside_numpy_2_are_named() {
    let env = Env::whole();
    let numpy = |code| Lib {
        code,
        ..Lib::default()
    };
    let old = "const char *api = \"_ARRAY_API\", *module = \"numpy.core._multiarray_umath\";";
    let new = "const char *api = \"_ARRAY_API\", *first = \"numpy._core._multiarray_umath\", \
               *then = \"numpy.core._multiarray_umath\";";
    env.library("skimage/_shared/geometry.abi3.so", numpy(old));
    env.library("scipy/linalg/_fblas.so", numpy(new));
    let finding = env.finding("numpy_abi");
    assert_eq!(
        (finding.subject.as_str(), finding.level),
        ("skimage", Level::Warn)
    );
    assert_eq!(
        finding.message,
        "is compiled for NumPy 1, and NumPy 2.3.5 is here: 1 extension cannot be imported"
    );
    env.library("scipy/linalg/_fblas.so", numpy(old));
    assert!(error(&env).starts_with("numpy_abi scipy: "));
    env.remove("numpy-2.3.5.dist-info")
        .package("numpy", "1.26.4", &[]);
    assert!(!env.kinds().contains(&"numpy_abi"));
}

#[test]
fn torch_without_cuda() {
    let env = Env::whole();
    env.file(
        "torch/version.py",
        "__version__ = '2.9.1+cpu'\ncuda: Optional[str] = None\n",
    );
    assert_eq!(error(&env), "torch_without_cuda torch: is built without CUDA");
}

#[test]
fn requirements_are_evaluated_with_their_markers() {
    let env = Env::whole();
    env.package(
        "rembg",
        "2.0.69",
        &[
            "absent>=1; python_version >= '3.9'",
            "windows-only; sys_platform == 'win32'",
            "cli-only; extra == 'cli'",
            "numpy<2; python_version >= '3.8'",
        ],
    );
    assert_eq!(
        env.finding("requirement_missing").message,
        "requires absent>=1, which is not installed"
    );
    assert_eq!(
        env.finding("requirement_unmet").message,
        "requires numpy<2, and 2.3.5 is here"
    );
}

#[test]
fn an_interpreter_that_is_gone_is_all_that_is_said() {
    let env = Env::whole();
    fs::create_dir_all(env.root().join("bin")).unwrap();
    symlink("/nowhere/python3.12", env.root().join("bin/python3")).unwrap();
    let gone = Environment::discover(env.root()).unwrap_err();
    assert!(
        gone.to_string()
            .contains("`bin/python3` is a broken link: `/nowhere/python3.12`"),
        "{gone}"
    );
    fs::remove_file(env.root().join("bin/python3")).unwrap();
    fs::write(env.root().join("bin/python3"), "").unwrap();
    fs::write(env.root().join("pyvenv.cfg"), "home = /nowhere/bin\n").unwrap();
    let gone = Environment::discover(env.root()).unwrap_err();
    assert!(matches!(gone, EnvironmentError::InterpreterGone { .. }), "{gone}");
}

#[test]
fn the_verdict_says_what_was_not_looked_at() {
    let env = Env::whole();
    let mut report = env.report();
    assert_eq!(report.verdict.trellis, Answer::Unknown);
    report.look(Looked {
        environment: true,
        gpu: true,
        model: true,
        probe: true,
    });
    assert_eq!(
        report.last_line(),
        "TRELLIS can run here: yes; the preview: yes\n"
    );
    env.remove("plyfile.py");
    assert_eq!(
        env.report().last_line(),
        "TRELLIS can run here: no, because plyfile is recorded as installed (plyfile-1.1.3.dist-info), but its \
         files are not here, and TRELLIS imports it; the preview: yes\n"
    );
}
