//! The failures that people meet with this stack, each told with its exact symbol or message. The fourth,
//! a `pipeline.json` that names a missing checkpoint, is a test of the command, which asks the model checks.

use crate::kit::{Env, Lib, fatbin, sass};

const SYM_NE: &str = "_ZNK3c106SymInt6sym_neERKS0_";
const SYM_EQ_SLOW: &str = "_ZNK3c106SymInt16sym_eq_slow_pathERKS0_";
const SYM_NE_SLOW: &str = "_ZNK3c106SymInt16sym_ne_slow_pathERKS0_";
const MAYBE_AS_INT: &str = "_ZNK3c106SymInt22maybe_as_int_slow_pathEv";
const WEAK: &str = "_ZTHN3c104impl26raw_local_dispatch_key_setE";

#[test]
fn xformers_for_another_torch() {
    let env = Env::new();
    env.torch("2.8.0", "12.8")
        .package("xformers", "0.0.33.post2", &["torch==2.9.1"]);
    env.file(
        "xformers/cpp_lib.json",
        r#"{"version": {"cuda": 1208, "torch": "2.9.1+cu128"}}"#,
    );
    env.library(
        "torch/lib/libc10.so",
        Lib {
            defines: &[SYM_NE],
            ..Lib::default()
        },
    );
    let xformers = Lib {
        needs: &[SYM_NE, SYM_EQ_SLOW, SYM_NE_SLOW, MAYBE_AS_INT],
        weak: &[WEAK],
        links: &["torch/lib/libc10.so"],
        ..Lib::default()
    };
    env.library("xformers/_C.so", xformers);

    let finding = env.finding("missing_symbols");
    assert_eq!(finding.subject, "xformers/_C.so");
    assert_eq!(
        finding.message,
        "needs 3 C++ symbols that nothing here defines: it was built for torch 2.9.1+cu128, and torch \
         2.8.0+cu128 is here"
    );
    assert_eq!(
        finding.evidence,
        [
            format!("{SYM_EQ_SLOW}  c10::SymInt::sym_eq_slow_path(c10::SymInt const&) const"),
            format!("{SYM_NE_SLOW}  c10::SymInt::sym_ne_slow_path(c10::SymInt const&) const"),
            format!("{MAYBE_AS_INT}  c10::SymInt::maybe_as_int_slow_path() const"),
        ]
    );
    assert_eq!(
        finding.advice,
        "install torch 2.9.1+cu128, or a build of xformers for torch 2.8.0+cu128"
    );
    assert_eq!(
        env.finding("requirement_unmet").message,
        "requires torch==2.9.1, and 2.8.0 is here"
    );
    assert_eq!(env.report().exit_code(false), 2);
}

#[test]
fn kaolin_for_another_torch() {
    let env = Env::new();
    env.torch("2.9.1", "12.8").package("kaolin", "0.18.0", &[]);
    env.library(
        "torch/lib/libc10.so",
        Lib {
            defines: &[MAYBE_AS_INT],
            ..Lib::default()
        },
    );
    let kaolin = Lib {
        needs: &[SYM_NE, MAYBE_AS_INT],
        links: &["torch/lib/libc10.so"],
        ..Lib::default()
    };
    env.library("kaolin/_C.so", kaolin);

    let finding = env.finding("missing_symbols");
    assert_eq!(finding.subject, "kaolin/_C.so");
    assert_eq!(
        finding.message,
        "needs 1 C++ symbol that nothing here defines: it was built for torch 2.8.0, and torch 2.9.1+cu128 is here"
    );
    assert_eq!(
        finding.evidence,
        [format!("{SYM_NE}  c10::SymInt::sym_ne(c10::SymInt const&) const")]
    );
    assert_eq!(
        finding.advice,
        "install a build of kaolin for torch 2.9.1+cu128, as the flake has"
    );
}

#[test]
fn torch_without_code_for_the_gpu() {
    let env = Env::new();
    env.torch("2.6.0", "12.4");
    let section = Some((".nv_fatbin", fatbin(&[sass(80), sass(86), sass(90)])));
    env.library(
        "torch/lib/libtorch_cuda.so",
        Lib {
            section,
            ..Lib::default()
        },
    );
    let links: &[&str] = &["torch/lib/libtorch_cuda.so"];
    env.library(
        "torch/_C.cpython-312-x86_64-linux-gnu.so",
        Lib {
            links,
            ..Lib::default()
        },
    );

    let finding = env.finding("no_kernel_image");
    assert_eq!(
        finding.message,
        "1 library has no code for capability 12.0: `no kernel image is available for execution on the device` \
         will follow"
    );
    assert_eq!(
        finding.evidence,
        ["torch/lib/libtorch_cuda.so: sm_80, sm_86, sm_90"]
    );
    assert_eq!(env.report().exit_code(false), 2);
    assert!(
        env.report_for("9.0")
            .findings
            .iter()
            .all(|finding| finding.kind != "no_kernel_image")
    );
}
