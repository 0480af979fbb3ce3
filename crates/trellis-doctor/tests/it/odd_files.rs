//! Files that are not what their names say: pipes, folders, links to nowhere, zeros. Nothing waits for them, and
//! what TRELLIS needs of them is not called right.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use trellis_doctor::{Environment, EnvironmentError, Level};

use crate::kit::Env;

fn pipe(env: &Env, name: &str) {
    env.remove(name);
    let path = env.packages().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn nothing_waits_for_a_pipe() {
    for (name, kind) in [
        ("plyfile.py", Some("module_unreadable")),
        ("kaolin/_C.so", Some("not_compiled")),
        ("plyfile-1.1.3.dist-info/METADATA", Some("record_unreadable")),
        ("plyfile-1.1.3.dist-info/RECORD", None),
        ("torch/version.py", None),
        ("xformers/cpp_lib.json", None),
        ("x.pth", None),
        ("__editable___x_finder.py", None),
        ("../../../pyvenv.cfg", None),
        ("../../../nix-support/propagated-build-inputs", None),
    ] {
        let env = Env::whole();
        pipe(&env, name);
        match kind {
            Some(kind) => {
                env.finding(kind);
            }
            None => assert_eq!(env.report().count(Level::Error), 0, "{name}"),
        }
    }
}

#[test]
fn modules_that_python_cannot_compile_are_errors() {
    let env = Env::whole();
    let path = env.packages().join("plyfile.py");
    fs::write(&path, [0; 40]).unwrap();
    let finding = env.finding("module_unreadable");
    assert_eq!(
        (finding.subject.as_str(), finding.level),
        ("plyfile", Level::Error)
    );
    assert!(
        finding
            .message
            .contains("TRELLIS imports it: it contains zero bytes"),
        "{}",
        finding.message
    );
    fs::remove_file(&path).unwrap();
    symlink("/nowhere.py", &path).unwrap();
    assert!(
        env.finding("module_unreadable")
            .message
            .ends_with("it is a broken link")
    );
}

#[test]
fn a_folder_in_the_place_of_a_library_is_none() {
    let env = Env::whole();
    env.remove("kaolin/_C.so");
    fs::create_dir(env.packages().join("kaolin/_C.so")).unwrap();
    assert_eq!(env.finding("not_compiled").subject, "kaolin");
}

#[test]
fn the_report_keeps_to_its_lines_whatever_names_hold() {
    let env = Env::whole();
    env.package("rembg", "2.0.69", &[]);
    let record = "rembg/__init__.py,,\n\"rembg/\u{1b}[31mx.py\",,\n";
    env.file("rembg-2.0.69.dist-info/RECORD", record);
    env.finding("files_missing");
    assert!(!env.report().to_text(false).contains('\u{1b}'));
}

#[test]
fn a_link_to_what_the_packages_lie_in_is_not_followed() {
    let env = Env::whole();
    fs::write(env.root().join("beside.so"), "no library").unwrap();
    for (name, target) in [("whole", env.root()), ("everything", std::path::Path::new("/"))] {
        symlink(target, env.packages().join(name)).unwrap();
    }
    let report = env.report();
    let looked = |name: &str| {
        report
            .findings
            .iter()
            .any(|finding| finding.subject.contains(name))
    };
    assert!(
        !looked("whole") && !looked("everything"),
        "{}",
        report.to_text(false)
    );
    assert_eq!(report.count(Level::Error), 0);
}

#[test]
fn folders_that_may_not_be_read_are_not_called_empty() {
    let env = Env::whole();
    let forbid = |name: &str, mode: u32| {
        let path = env.packages().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let torch = forbid("torch", 0);
    if fs::read_dir(&torch).is_ok() {
        // Nothing is forbidden to root.
        forbid("torch", 0o755);
        return;
    }
    let report = env.report();
    forbid("torch", 0o755);
    let first = &report.findings[0];
    assert_eq!(
        (first.kind, first.subject.as_str()),
        ("module_unreadable", "torch")
    );
    let of_torch = |kind: &str| report.findings.iter().any(|finding| finding.kind == kind);
    assert!(!of_torch("not_compiled") && !of_torch("module_missing"));
    for path in [env.packages(), env.root().join("lib")] {
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0);
        let found = Environment::discover(env.root());
        mode(0o755);
        assert!(
            matches!(found, Err(EnvironmentError::Unreadable { .. })),
            "{found:?}"
        );
    }
}
