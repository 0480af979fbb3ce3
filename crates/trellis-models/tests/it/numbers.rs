//! Headers that are sound over numbers that never arrived, and what download tools left.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use trellis_models::header::Header;
use trellis_models::numbers::{Numbers, look};

use crate::kit::{Machine, lines};

const FLOW: &str = "ckpts/slat_flow_img_dit_L_64l8p2_fp16.safetensors";

fn found(break_it: impl FnOnce(&Path)) -> Vec<String> {
    let machine = Machine::with_extras();
    let folder = machine.model();
    break_it(&folder.join(FLOW));
    lines(&machine.check(&folder).problems, machine.root.path())
}

/// Overwrites from the middle of the file on, or one tensor.
fn overwrite(path: &Path, from: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, from).unwrap();
}

#[test]
fn zeros_to_the_end_and_nan_are_told() {
    let zeros = found(|path| {
        let first = Header::read(path)
            .unwrap()
            .tensors
            .values()
            .map(|t| t.place.start)
            .min()
            .unwrap();
        let bytes = fs::read(path).unwrap();
        let from = usize::try_from(first).unwrap() + 200;
        overwrite(path, from as u64, &vec![0; bytes.len() - from]);
    });
    let nan = found(|path| {
        let header = Header::read(path).unwrap();
        let place = header.tensors["t_embedder.mlp.2.weight"].place.clone();
        let length = usize::try_from(place.end - place.start).unwrap();
        overwrite(path, place.start, &[0xff, 0x7f].repeat(length / 2));
    });
    insta::assert_debug_snapshot!([zeros, nan]);
}

/// A file of 64 tensors of a megabyte each, `empty` of which hold zeros.
fn large(folder: &Path, empty: &[u64]) -> Option<Numbers> {
    const MIB: u64 = 1 << 20;
    let entries = (0..64).map(|n| {
        format!(
            r#""t{n:02}":{{"dtype":"F16","shape":[{}],"data_offsets":[{},{}]}}"#,
            MIB / 2,
            n * MIB,
            (n + 1) * MIB
        )
    });
    let json = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let path: PathBuf = folder.join("large.safetensors");
    fs::write(
        &path,
        [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat(),
    )
    .unwrap();
    let data_at = 8 + json.len() as u64;
    let full = [0x11, 0x22].repeat(usize::try_from(MIB / 2).unwrap());
    for n in (0..64).filter(|n| !empty.contains(n)) {
        overwrite(&path, data_at + n * MIB, &full);
    }
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(data_at + 64 * MIB)
        .unwrap();
    look(&path, &Header::read(&path).unwrap()).unwrap()
}

#[test]
fn pieces_that_never_arrived_are_seen_and_one_empty_tensor_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(large(folder.path(), &[]), None);
    let holes = large(folder.path(), &[10, 11, 12, 40]);
    assert!(
        matches!(&holes, Some(Numbers::Holes { tensor, .. }) if tensor == "t10"),
        "{holes:?}"
    );
    let tail: Vec<u64> = (50..64).collect();
    let expected = Numbers::ZeroTail {
        tensor: "t50".to_owned(),
        bytes: 14 << 20,
    };
    assert_eq!(large(folder.path(), &tail), Some(expected));
    // A download that broke off inside the last tensor.
    let inside = large(folder.path(), &[63]);
    assert!(matches!(&inside, Some(Numbers::ZeroTail { .. })), "{inside:?}");
}

#[test]
fn what_download_tools_leave_is_told_beside_a_file_of_full_length() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let beside = |ending: &str| folder.join(format!("{FLOW}{ending}"));
    for ending in [".part", ".crdownload", ".INCOMPLETE"] {
        fs::write(beside(ending), "x").unwrap();
        let report = machine.check(&folder);
        let found: Vec<&str> = report.problems.iter().map(trellis_core::Explain::kind).collect();
        assert_eq!(found, ["download_leftover"], "{ending}");
        assert!(report.passed());
        fs::remove_file(beside(ending)).unwrap();
    }
    fs::write(beside(".aria2"), "x").unwrap();
    let report = machine.check(&folder);
    assert!(!report.passed());
    insta::assert_debug_snapshot!(lines(&report.problems, machine.root.path()));
}

#[test]
fn a_part_in_the_blobs_of_a_hub_cache_and_beside_an_extra_is_told() {
    let machine = Machine::with_extras();
    let snapshot = machine.snapshot("org/name", "0123456789abcdef");
    let blobs = snapshot.join("../../blobs");
    fs::write(blobs.join("693fb2a5.incomplete"), "x").unwrap();
    fs::write(machine.places.u2net.join("u2net.onnx.part"), "x").unwrap();
    let report = machine.check(&snapshot);
    insta::assert_debug_snapshot!(lines(&report.problems, machine.root.path()));
}
