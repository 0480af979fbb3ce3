//! DINOv2 and u2net are looked into: whole, cut short, and what lies there instead.

use std::fs;
use std::path::{Path, PathBuf};

use trellis_core::Explain as _;
use trellis_models::extras::{Dinov2, Extra, needed};
use trellis_models::{Problem, Severity};

use crate::kit::{Machine, lines};

fn extra(machine: &Machine, name: &str) -> Extra {
    let network = Dinov2::from_name("dinov2_vitl14_reg").unwrap();
    let extras = needed(network, &machine.places);
    extras.into_iter().find(|extra| extra.name == name).unwrap()
}

/// What is found of one extra after `break_it`.
fn found(name: &str, break_it: impl FnOnce(&Path)) -> Vec<String> {
    let machine = Machine::with_extras();
    let path = extra(&machine, name).path;
    break_it(&path);
    let report = machine.check(&machine.model());
    let errors = report.problems.iter().filter(|p| p.severity() == Severity::Error);
    assert_eq!(
        errors.count(),
        1,
        "{:?}",
        lines(&report.problems, machine.root.path())
    );
    let listed = report.extras.iter().find(|extra| extra.name == name).unwrap();
    assert!(listed.present && !listed.sound);
    lines(&report.problems, machine.root.path())
}

fn resize(path: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(bytes).unwrap();
}

#[test]
fn weights_that_are_cut_short_or_something_else_are_errors() {
    let write = |bytes: &'static [u8]| move |path: &Path| fs::write(path, bytes).unwrap();
    let all: Vec<Vec<String>> = vec![
        found("dinov2_weights", |path| resize(path, 1_000_000)),
        found("dinov2_weights", write(b"")),
        found("dinov2_weights", write(&[0; 8192])),
        found(
            "dinov2_weights",
            write(b"version https://git-lfs.github.com/spec/v1\n"),
        ),
        found("dinov2_weights", write(b"\n<!DOCTYPE html><title>Access denied")),
        found("dinov2_weights", write(b"not an archive")),
        // The whole length, but nothing after the first megabyte.
        found("dinov2_weights", |path| {
            let length = fs::metadata(path).unwrap().len();
            resize(path, 1_000_000);
            resize(path, length);
        }),
        found("u2net", |path| resize(path, 1_000_000)),
        found("u2net", write(b"<html><head>")),
        found("u2net", write(b"\xff\xff\xff\xff")),
        found("u2net", |path| {
            let length = fs::metadata(path).unwrap().len();
            resize(path, 1_000_000);
            resize(path, length);
        }),
        found("dinov2_code", write(b"")),
        found("dinov2_code", |path| {
            fs::remove_file(path.with_file_name("dinov2").join("hub/backbones.py")).unwrap();
        }),
    ];
    insta::assert_debug_snapshot!(all);
}

/// Without a published length the container alone tells.
#[test]
fn any_archive_without_its_end_and_any_network_without_its_rest_is_cut_short() {
    let machine = Machine::with_small_extras();
    let folder = machine.model();
    let pipeline = fs::read_to_string(folder.join("pipeline.json")).unwrap();
    let other = pipeline.replace("dinov2_vitl14_reg", "dinov2_vitl14");
    fs::write(folder.join("pipeline.json"), other).unwrap();
    let pinned = extra(&machine, "dinov2_weights").path;
    let unpinned: PathBuf = pinned.with_file_name("dinov2_vitl14_pretrain.pth");
    fs::rename(&pinned, &unpinned).unwrap();
    let whole = |problem: &Problem| problem.kind() == "extra_differs";
    assert!(machine.check(&folder).problems.iter().all(whole));
    let length = fs::metadata(&unpinned).unwrap().len();
    for cut in [length - 1, length / 2, 30] {
        resize(&unpinned, cut);
        let found = lines(&machine.check(&folder).problems, machine.root.path());
        // Cut inside a hole of the sample it ends in zeros.
        let (kind, said) = found[0].split_once(": ").unwrap();
        assert!(matches!(kind, "truncated" | "zeros"), "{found:?}");
        assert!(said.starts_with("DINOv2's weights cannot be used"), "{found:?}");
    }
}

#[test]
fn whole_extras_of_another_length_are_said_to_be_others() {
    let machine = Machine::with_small_extras();
    let report = machine.check(&machine.model());
    assert!(report.passed() && report.extras.iter().all(|extra| extra.sound));
    insta::assert_debug_snapshot!(lines(&report.problems, machine.root.path()));
}
