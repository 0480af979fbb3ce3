//! The report as text and as JSON, on one environment with a finding of each level.

use trellis_doctor::gpu::{Driver, Machine, Place};
use trellis_doctor::{Report, Settings, Unfit, quick};
use trellis_pins::Pins;

use crate::kit::{Env, Lib, fatbin, ptx, sass};

fn report() -> (Env, Report) {
    let env = Env::new();
    env.torch("2.9.1", "12.8").package("kaolin", "0.18.0", &[]);
    let both = [sass(90), sass(120)];
    let section = Some((".nv_fatbin", fatbin(&both)));
    env.library(
        "torch/lib/libtorch_cuda.so",
        Lib {
            section,
            ..Lib::default()
        },
    );
    let kaolin = Lib {
        needs: &["_ZNK3c106SymInt6sym_neERKS0_"],
        links: &["torch/lib/libtorch_cuda.so"],
        section: Some((".nv_fatbin", fatbin(&[sass(90).exact(), ptx(80)]))),
        ..Lib::default()
    };
    env.library("kaolin/_C.so", kaolin);
    let report = env.report();
    (env, report)
}

fn named(text: &str, env: &Env) -> String {
    text.replace(&env.root().display().to_string(), "ENV")
}

#[test]
fn as_text() {
    let (env, report) = report();
    insta::assert_snapshot!(named(&report.to_text(false), &env));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let (_env, report) = report();
    let coloured = report.to_text(true);
    let plain = ["1", "32", "33", "1;31", "0"]
        .iter()
        .fold(coloured.clone(), |text, code| {
            text.replace(&format!("\x1b[{code}m"), "")
        });
    assert_ne!(coloured, plain);
    assert_eq!(plain, report.to_text(false));
}

#[test]
fn as_json() {
    let (env, report) = report();
    let json = serde_json::to_string_pretty(&report).unwrap();
    insta::assert_snapshot!(named(&json, &env));
}

#[test]
fn the_refusal_has_the_errors_in_the_same_words() {
    let (_env, report) = report();
    let refusal = report.refusal().unwrap();
    assert!(refusal.lines().all(|line| report.to_text(false).contains(line)));
    assert!(!refusal.contains('!'));
    assert_eq!(Report::new("12.0".parse().unwrap()).refusal(), None);
}

#[test]
fn a_server_is_refused_in_the_same_words() {
    let (env, report) = report();
    let settings = Settings {
        capability: report.capability,
        library_folders: Vec::new(),
        pins: Pins::embedded(),
        model: None,
    };
    let machine = Machine {
        place: Place::Linux,
        in_windows: false,
        hardware: false,
        driver: Driver::Missing,
        libcuda: None,
        closed_nodes: Vec::new(),
    };
    let unfit = quick(Some(env.root()), &settings, &machine).unwrap_err();
    let Unfit::Errors { errors } = unfit else {
        panic!("not an error of the report: {unfit}");
    };
    assert_eq!(Some(errors), report.refusal());
    let absent = quick(Some(&env.root().join("absent")), &settings, &machine).unwrap_err();
    assert!(matches!(absent, Unfit::Environment { .. }));
}

#[test]
fn exit_codes() {
    let (_env, report) = report();
    assert_eq!((report.exit_code(false), report.exit_code(true)), (2, 2));
    let mut warned = Report::new("12.0".parse().unwrap());
    warned.add(trellis_doctor::variables::check(
        &|_| None,
        warned.capability,
        &[trellis_core::Model::DEFAULT],
    ));
    assert_eq!((warned.exit_code(false), warned.exit_code(true)), (0, 1));
}
