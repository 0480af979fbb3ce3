//! Packages that lie outside the folder of packages, in parts, or for another Python.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use trellis_doctor::{Environment, EnvironmentError, Level, environment_of};

use crate::kit::{Env, Lib};

const FINDER: &str = "__editable___kaolin_0_18_0_finder.py";

/// Moves kaolin, with its compiled library, into a source's folder.
fn kaolin_elsewhere(env: &Env) -> TempDir {
    let source = TempDir::new().unwrap();
    fs::rename(env.packages().join("kaolin"), source.path().join("kaolin")).unwrap();
    source
}

fn assert_whole(env: &Env) {
    let report = env.report();
    assert_eq!(report.count(Level::Error), 0, "{}", report.to_text(false));
}

/// kaolin's library needs a symbol of another torch: told if it is looked at.
fn broken(env: &Env) {
    env.library(
        "kaolin/_C.so",
        Lib {
            needs: &["_ZNK3c106SymInt6sym_neERKS0_"],
            ..Lib::default()
        },
    );
}

#[test]
fn compiled_libraries_of_editable_installs_are_found_and_judged() {
    for way in ["folder", "finder", "egg", "hook"] {
        for breaks in [false, true] {
            let env = Env::whole();
            if breaks {
                broken(&env);
            }
            let source = kaolin_elsewhere(&env);
            let path = source.path().display();
            match way {
                "folder" => env.file("__editable__.kaolin-0.18.0.pth", format!("{path}\n")),
                "finder" => env.file(FINDER, format!("MAPPING = {{'kaolin': '{path}/kaolin'}}\n")),
                "egg" => {
                    env.remove("kaolin-0.18.0.dist-info");
                    let egg = source.path().join("EGG-INFO");
                    fs::create_dir(&egg).unwrap();
                    fs::write(egg.join("PKG-INFO"), "Name: kaolin\nVersion: 0.18.0\n").unwrap();
                    env.file("easy-install.pth", format!("{path}\n"))
                }
                _ => env.file(
                    "kaolin-0.18.0.dist-info/direct_url.json",
                    format!(r#"{{"url": "file://{path}", "dir_info": {{"editable": true}}}}"#),
                ),
            };
            // What an earlier build left in the source is not what is imported.
            fs::create_dir_all(source.path().join("build/lib")).unwrap();
            fs::write(source.path().join("build/lib/old.so"), "no library").unwrap();
            if breaks {
                assert_eq!(env.finding("missing_symbols").subject, "kaolin/_C.so", "{way}");
            } else {
                assert_whole(&env);
                assert!(!env.kinds().contains(&"unreadable_library"), "{way}");
            }
            assert!(
                env.finding("as_pinned").message.contains("kaolin 0.18.0"),
                "{way}: the record is known"
            );
        }
    }
}

#[test]
fn an_editable_install_without_its_library_is_told() {
    let env = Env::whole();
    env.remove("kaolin/_C.so");
    let source = kaolin_elsewhere(&env);
    env.file("kaolin.pth", source.path().display().to_string());
    assert_eq!(env.finding("not_compiled").subject, "kaolin");
}

#[test]
fn a_namespace_has_parts_in_several_folders() {
    let (env, source) = (Env::whole(), TempDir::new().unwrap());
    env.file("rembg/__init__.py", "import space.one\nimport space.two\n")
        .file("space/one.py", "");
    fs::create_dir(source.path().join("space")).unwrap();
    env.file("more.pth", source.path().display().to_string());
    assert_eq!(
        env.finding("module_missing").message,
        "has no module `space.two`, which rembg imports"
    );
    fs::write(source.path().join("space/two.py"), "").unwrap();
    assert_whole(&env);
}

#[test]
fn a_conda_prefix_links_a_short_name_to_its_python() {
    let env = Env::whole();
    symlink("python3.12", env.root().join("lib/python3.1")).unwrap();
    let environment = Environment::discover(env.root()).unwrap();
    assert_eq!(environment.python.unwrap().to_string(), "3.12");
    assert_eq!(environment.site_packages, [env.packages()]);
}

#[test]
fn packages_of_another_python_than_the_interpreter_do_not_count() {
    let env = Env::whole();
    fs::create_dir(env.root().join("bin")).unwrap();
    fs::write(env.root().join("bin/python3.13"), "").unwrap();
    symlink("python3.13", env.root().join("bin/python3")).unwrap();
    let error = Environment::discover(env.root()).unwrap_err();
    assert!(matches!(error, EnvironmentError::OtherPython { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("are for Python 3.12, and its interpreter is 3.13"),
        "{error}"
    );
    let newer = env.root().join("lib/python3.13/site-packages");
    fs::create_dir_all(&newer).unwrap();
    let environment = Environment::discover(env.root()).unwrap();
    assert_eq!(environment.site_packages, [newer]);
}

#[test]
fn the_environment_of_an_interpreter_is_pythons_own() {
    let (env, other) = (Env::whole(), Env::whole());
    let script = |path: &str, text: &str| {
        let path = env.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        environment_of(&path)
    };
    let root = Some(env.root().to_owned());
    assert_eq!(script("bin/python3", "a program"), root);
    assert_eq!(script("bin/wrapped", "#!/bin/sh\nexec python3\n"), root);
    let runs = format!("#!/bin/sh\nexec {}/bin/python3 \"$@\"\n", other.root().display());
    assert_eq!(script("bin/python", &runs), None, "it runs another");
    assert_eq!(script("x/python", &runs), None, "no environment is above it");
    // As Nix wraps the interpreter of an environment.
    let nix = format!(
        "#!/bin/sh\nexport NIX_PYTHONPREFIX={}\n{runs}",
        env.root().display()
    );
    assert_eq!(script("bin/python3.12", &nix), root);
    // A link in another folder leads to the program's own.
    fs::create_dir(other.root().join("bin")).unwrap();
    let link = other.root().join("bin/python3");
    symlink(env.root().join("bin/python3"), &link).unwrap();
    assert_eq!(environment_of(&link), root);
    // But in a virtual environment such a link is the rule.
    fs::write(other.root().join("pyvenv.cfg"), "").unwrap();
    assert_eq!(environment_of(&link), Some(other.root().to_owned()));
}
