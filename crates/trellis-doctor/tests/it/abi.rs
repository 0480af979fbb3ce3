//! What the linker would find, and what it would not.

use trellis_doctor::Level;

use crate::kit::{Env, Lib};

fn torch(env: &Env) {
    env.torch("2.9.1", "12.8");
    env.library(
        "torch/lib/libc10.so",
        Lib {
            defines: &["_ZN3c103oneEv"],
            ..Lib::default()
        },
    );
}

#[test]
fn needs_are_met_through_the_whole_closure_and_by_torch() {
    let env = Env::new();
    torch(&env);
    env.library(
        "x.libs/libdeep.so",
        Lib {
            defines: &["_Z4deepv"],
            ..Lib::default()
        },
    );
    env.library(
        "x.libs/libmiddle.so",
        Lib {
            links: &["x.libs/libdeep.so"],
            ..Lib::default()
        },
    );
    let module = Lib {
        needs: &["_Z4deepv", "_ZN3c103oneEv", "plain_c_symbol"],
        weak: &["_Z6absentv"],
        links: &["x.libs/libmiddle.so"],
        ..Lib::default()
    };
    env.library("x/_C.so", module);
    assert_eq!(env.finding("abi_complete").level, Level::Ok);
}

#[test]
fn a_library_that_is_not_reached_does_not_count() {
    let env = Env::new();
    env.library(
        "y/libother.so",
        Lib {
            defines: &["_Z4deepv"],
            ..Lib::default()
        },
    );
    env.library(
        "x/_C.so",
        Lib {
            needs: &["_Z4deepv"],
            ..Lib::default()
        },
    );
    let finding = env.finding("missing_symbols");
    assert_eq!(finding.evidence, ["_Z4deepv  deep()"]);
    assert_eq!(finding.message, "needs 1 C++ symbol that nothing here defines");
}

#[test]
fn finds_symbols_without_a_gnu_hash_table_too() {
    let env = Env::new();
    let flags: &[&str] = &["-Wl,--hash-style=sysv"];
    env.library(
        "x.libs/libold.so",
        Lib {
            defines: &["_Z3oldv"],
            flags,
            ..Lib::default()
        },
    );
    let module = Lib {
        needs: &["_Z3oldv", "_Z3newv"],
        links: &["x.libs/libold.so"],
        flags,
        ..Lib::default()
    };
    env.library("x/_C.so", module);
    assert_eq!(env.finding("missing_symbols").evidence, ["_Z3newv  new()"]);
}

#[test]
fn the_search_path_of_a_library_is_followed_from_where_it_lies() {
    let env = Env::new();
    env.library(
        "parts/deep/libpart.so",
        Lib {
            defines: &["_Z4partv"],
            ..Lib::default()
        },
    );
    let module = Lib {
        needs: &["_Z4partv"],
        links: &["parts/deep/libpart.so"],
        flags: &["-Wl,-rpath,$ORIGIN/../parts/deep"],
        ..Lib::default()
    };
    env.library("x/_C.so", module);
    assert!(env.kinds().contains(&"abi_complete"));
}

#[test]
fn a_missing_library_is_an_error_and_hides_symbols_that_it_may_define() {
    let env = Env::new();
    env.library(
        "gone/libgone.so.3",
        Lib {
            defines: &["_Z4gonev"],
            ..Lib::default()
        },
    );
    let module = Lib {
        needs: &["_Z4gonev"],
        links: &["gone/libgone.so.3"],
        ..Lib::default()
    };
    env.library("x/_C.so", module);
    std::fs::remove_dir_all(env.packages().join("gone")).unwrap();
    let finding = env.finding("missing_library");
    assert_eq!(
        (finding.level, finding.subject.as_str()),
        (Level::Error, "x/_C.so")
    );
    assert_eq!(finding.message, "needs `libgone.so.3`, which is not here");
    assert!(!env.kinds().contains(&"missing_symbols"));
}

#[test]
fn plug_ins_and_the_driver_may_be_absent() {
    let env = Env::new();
    env.library("gone/libfabric.so.1", Lib::default());
    env.library("gone/libcuda.so.1", Lib::default());
    let links: &[&str] = &["gone/libfabric.so.1"];
    env.library(
        "nvidia/nvshmem/lib/transport.so.3",
        Lib {
            links,
            ..Lib::default()
        },
    );
    env.library(
        "x/_C.so",
        Lib {
            links: &["gone/libcuda.so.1"],
            ..Lib::default()
        },
    );
    std::fs::remove_dir_all(env.packages().join("gone")).unwrap();
    let finding = env.finding("plugin_incomplete");
    assert_eq!(
        (finding.level, finding.subject.as_str()),
        (Level::Ok, "nvidia/nvshmem")
    );
    assert_eq!(
        finding.evidence,
        ["nvidia/nvshmem/lib/transport.so.3: libfabric.so.1"]
    );
    assert!(env.kinds().contains(&"abi_complete"));
}

#[test]
fn a_newer_c_library_than_there_is() {
    let env = Env::new();
    let define = |version: &str| {
        let lib = Lib {
            defines: &["thing"],
            version: Some(version),
            ..Lib::default()
        };
        env.library("x.libs/libc.so.6", lib);
    };
    define("GLIBC_2.38");
    env.library(
        "x/_C.so",
        Lib {
            needs: &["thing"],
            links: &["x.libs/libc.so.6"],
            ..Lib::default()
        },
    );
    assert!(env.kinds().contains(&"abi_complete"));
    define("GLIBC_2.4");
    let finding = env.finding("library_too_old");
    assert_eq!(
        finding.message,
        "needs GLIBC_2.38 of `libc.so.6`, and the one here ends at GLIBC_2.4"
    );
    assert_eq!(finding.level, Level::Error);
}

#[test]
fn a_symbol_of_another_version_is_missing() {
    let env = Env::new();
    let define = |version: &str| {
        let lib = Lib {
            defines: &["_Z5thingv"],
            version: Some(version),
            ..Lib::default()
        };
        env.library("x.libs/libthing.so.1", lib);
    };
    define("THING_2");
    let module = Lib {
        needs: &["_Z5thingv"],
        links: &["x.libs/libthing.so.1"],
        ..Lib::default()
    };
    env.library("x/_C.so", module);
    define("THING_1");
    assert_eq!(env.finding("missing_symbols").evidence, ["_Z5thingv  thing()"]);
    assert_eq!(
        env.finding("library_too_old").message,
        "needs THING_2 of `libthing.so.1`, and the one here ends at THING_1"
    );
}

#[test]
fn two_cuda_runtimes_in_one_process() {
    let env = Env::new();
    env.library("nvidia/cuda_runtime/lib/libcudart.so.12", Lib::default());
    env.library("old/libcudart.so.11.0", Lib::default());
    let twelve: &[&str] = &["nvidia/cuda_runtime/lib/libcudart.so.12"];
    env.library(
        "a/_C.so",
        Lib {
            links: twelve,
            ..Lib::default()
        },
    );
    assert!(!env.kinds().contains(&"two_cuda_runtimes"));
    env.library(
        "b/_C.so",
        Lib {
            links: &["old/libcudart.so.11.0"],
            ..Lib::default()
        },
    );
    let finding = env.finding("two_cuda_runtimes");
    assert_eq!(finding.message, "CUDA runtimes 11 and 12 meet in one process");
    assert_eq!(
        finding.evidence,
        ["b/_C.so needs CUDA 11", "a/_C.so needs CUDA 12"]
    );
}

#[test]
fn extensions_for_another_python() {
    let env = Env::new();
    env.library("x/both.cpython-311-x86_64-linux-gnu.so", Lib::default());
    env.library("x/both.cpython-312-x86_64-linux-gnu.so", Lib::default());
    env.library("x/stable.abi3.so", Lib::default());
    assert!(!env.kinds().contains(&"python_abi"));
    env.library("x/only.cpython-311-x86_64-linux-gnu.so", Lib::default());
    let finding = env.finding("python_abi");
    assert_eq!(finding.subject, "x/only");
    assert_eq!(
        finding.message,
        "is compiled for cpython-311 only, and this is cpython-312"
    );
    let env = Env::new();
    env.library("x/threads.cpython-312t-x86_64-linux-gnu.so", Lib::default());
    assert_eq!(
        env.finding("python_abi").message,
        "is compiled for cpython-312t only, and this is cpython-312"
    );
}

#[test]
fn a_file_that_is_no_library_is_a_warning() {
    let env = Env::new();
    env.file("x/cut.so", &b"\x7fELF\x02\x01"[..]);
    let finding = env.finding("unreadable_library");
    assert_eq!(
        (finding.level, finding.subject.as_str()),
        (Level::Warn, "x/cut.so")
    );
}
