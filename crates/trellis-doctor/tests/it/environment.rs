//! The layouts that an environment may have.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use trellis_doctor::{Environment, EnvironmentError};

use crate::kit::{Env, Lib};

#[test]
fn a_virtual_environment_tells_its_python() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("lib/python3.11/site-packages")).unwrap();
    let environment = Environment::discover(folder.path()).unwrap();
    assert_eq!(environment.python.unwrap().to_string(), "3.11");
    assert_eq!(
        environment.site_packages,
        [folder.path().join("lib/python3.11/site-packages")]
    );
}

#[test]
fn a_virtual_environment_may_see_the_packages_of_its_base() {
    let (env, base) = (Env::new(), Env::new());
    base.package("xformers", "0.0.33.post2", &[]);
    fs::create_dir_all(base.root().join("lib/python3.11/site-packages")).unwrap();
    let configure = |included: &str| {
        let home = base.root().join("bin");
        fs::create_dir_all(&home).unwrap();
        fs::create_dir_all(env.root().join("bin")).unwrap();
        fs::write(env.root().join("bin/python3"), "").unwrap();
        let text = format!(
            "home = {}\ninclude-system-site-packages = {included}\nversion = 3.12.1\n",
            home.display()
        );
        fs::write(env.root().join("pyvenv.cfg"), text).unwrap();
        Environment::discover(env.root()).unwrap().site_packages
    };
    assert_eq!(configure("false"), [env.packages()]);
    assert_eq!(configure("true"), [env.packages(), base.packages()]);
}

#[test]
fn packages_of_older_installers_are_installed() {
    let env = Env::new();
    env.file(
        "nvdiffrast-0.4.0.egg-info/PKG-INFO",
        "Name: nvdiffrast\nVersion: 0.4.0\n",
    );
    env.file("kaolin-0.18.0.egg-info", "Name: kaolin\nVersion: 0.18.0\n");
    let findings = env.report().findings;
    let recorded = findings.iter().filter(|finding| finding.kind == "files_gone");
    let recorded: Vec<&str> = recorded.map(|finding| finding.subject.as_str()).collect();
    assert_eq!(recorded, ["kaolin", "nvdiffrast"]);
}

#[test]
fn the_libraries_of_a_conda_prefix_lie_beside_its_python() {
    let env = Env::new();
    let mkl = Lib {
        defines: &["_Z3mklv"],
        ..Lib::default()
    };
    env.library("../../libmkl.so.2", mkl);
    let extension = Lib {
        needs: &["_Z3mklv"],
        links: &["../../libmkl.so.2"],
        ..Lib::default()
    };
    env.library("x/_C.so", extension);
    assert!(env.kinds().contains(&"abi_complete"), "{:?}", env.kinds());
}

#[test]
fn links_to_nowhere_are_told() {
    let env = Env::new();
    fs::create_dir_all(env.packages().join("x")).unwrap();
    symlink("/nowhere/gone.so", env.packages().join("x/_C.so")).unwrap();
    symlink("loop.so", env.packages().join("x/loop.so")).unwrap();
    let findings = env.report().findings;
    let unreadable = findings
        .iter()
        .filter(|finding| finding.kind == "unreadable_library");
    let unreadable: Vec<&str> = unreadable.map(|finding| finding.subject.as_str()).collect();
    assert_eq!(unreadable, ["x/_C.so", "x/loop.so"]);
}

#[test]
fn a_folder_of_packages_and_a_link_to_lib_count_once() {
    let env = Env::new();
    symlink("lib", env.root().join("lib64")).unwrap();
    assert_eq!(Environment::discover(env.root()).unwrap().site_packages.len(), 1);
    let bare = Environment::discover(&env.packages()).unwrap();
    assert_eq!(bare.python.unwrap().to_string(), "3.12");
}

#[test]
fn what_a_store_path_propagates_belongs_to_it() {
    let (env, other) = (Env::new(), Env::new());
    other.torch("2.9.1", "12.8");
    fs::create_dir_all(env.root().join("nix-support")).unwrap();
    let inputs = format!("{} {}\n", other.root().display(), env.root().display());
    fs::write(env.root().join("nix-support/propagated-build-inputs"), inputs).unwrap();
    let environment = Environment::discover(env.root()).unwrap();
    assert_eq!(environment.site_packages, [env.packages(), other.packages()]);
}

#[test]
fn links_to_packages_are_followed_and_circles_end() {
    let (env, store) = (Env::new(), Env::new());
    store.library(
        "torch/lib/libc10.so",
        Lib {
            defines: &["_Z3onev"],
            ..Lib::default()
        },
    );
    symlink(store.packages().join("torch"), env.packages().join("torch")).unwrap();
    symlink(env.packages(), env.packages().join("circle")).unwrap();
    let module = Lib {
        needs: &["_Z3onev"],
        links: &["torch/lib/libc10.so"],
        ..Lib::default()
    };
    env.library("x/_C.so", module);
    assert_eq!(
        env.finding("abi_complete").message,
        "2 libraries: every C++ symbol and library that they need was found"
    );
}

#[test]
fn what_is_no_environment_says_so() {
    let folder = TempDir::new().unwrap();
    let empty = Environment::discover(folder.path()).unwrap_err();
    assert!(matches!(empty, EnvironmentError::NoPackages { .. }));
    let absent = Environment::discover(&folder.path().join("absent")).unwrap_err();
    assert!(matches!(absent, EnvironmentError::Unreadable { .. }));
}
