//! Files that are not what their names say: pipes, folders, links to nowhere, zeros. Nothing waits for them, and
//! what TRELLIS needs of them is not called right.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use trellis_doctor::Level;

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
            .contains("TRELLIS imports it: it holds zero bytes"),
        "{}",
        finding.message
    );
    fs::remove_file(&path).unwrap();
    symlink("/nowhere.py", &path).unwrap();
    assert!(
        env.finding("module_unreadable")
            .message
            .ends_with("it is a link to nowhere")
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
