//! The right files in the wrong place are recognised, and repaired by the moves that were proposed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::sample;
use trellis_models::Problem;
use trellis_models::moves::{Move, sentence};
use trellis_models::repair::{Options, Remedy, apply, plan, undo};

use crate::kit::{Machine, lines, located};

const FLOW: &str = "ckpts/slat_flow_img_dit_L_64l8p2_fp16";

/// Every file's name and length.
fn listing(folder: &Path) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            all.extend(
                listing(&path)
                    .into_iter()
                    .map(|(inner, size)| (format!("{name}/{inner}"), size)),
            );
        } else {
            all.insert(name, fs::metadata(&path).unwrap().len());
        }
    }
    all
}

/// Spoils a sound folder, checks, repairs and takes the repair back. Returns what `check` says.
fn mended(spoil: impl FnOnce(&Path)) -> Vec<String> {
    let machine = Machine::with_extras();
    let folder = machine.model();
    spoil(&folder);
    let before = listing(&folder);
    let report = machine.check(&folder);
    assert!(!report.passed());
    let proposed: Vec<String> = report
        .problems
        .iter()
        .filter_map(|problem| match problem {
            Problem::Misplaced { moves, .. } => Some(sentence(moves)),
            _ => None,
        })
        .collect();
    let plan = plan(&located(&folder), &Options::default(), &machine.places).unwrap();
    let planned = plan.remedies.iter().map(|remedy| match remedy {
        Remedy::Move { moves, .. } => sentence(moves),
        other => format!("{other:?}"),
    });
    assert_eq!(
        planned.collect::<Vec<_>>(),
        proposed,
        "what is proposed is what is planned"
    );
    assert_eq!(listing(&folder), before, "neither changes anything");
    apply(&plan).unwrap();
    assert_eq!(
        lines(&machine.check(&folder).problems, machine.root.path()),
        [""; 0]
    );
    undo(&folder, false).unwrap();
    assert_eq!(listing(&folder), before);
    lines(&report.problems, machine.root.path())
}

fn rename(folder: &Path, from: &str, to: &str) {
    let to = folder.join(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(folder.join(from), to).unwrap();
}

/// All in the root, as a browser downloads it.
fn flatten(folder: &Path) {
    for entry in fs::read_dir(folder.join("ckpts")).unwrap() {
        let path = entry.unwrap().path();
        fs::rename(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    fs::remove_dir(folder.join("ckpts")).unwrap();
}

#[test]
fn a_flat_folder_is_mended() {
    let found = mended(flatten);
    assert_eq!(found.len(), 6, "{found:?}");
    insta::assert_snapshot!(found[0]);
}

#[test]
fn a_folder_one_level_down_is_mended() {
    let found = mended(|folder| {
        rename(folder, "pipeline.json", "TRELLIS-image-large/pipeline.json");
        rename(folder, "ckpts", "TRELLIS-image-large/ckpts");
    });
    assert_eq!(found.len(), 7, "{found:?}");
    insta::assert_debug_snapshot!(&found[..2]);
}

#[test]
fn second_copies_other_case_and_other_names_are_mended() {
    insta::assert_debug_snapshot!([
        mended(|folder| rename(
            folder,
            &format!("{FLOW}.safetensors"),
            &format!("{FLOW} (1).safetensors")
        )),
        mended(|folder| rename(folder, "ckpts", "Ckpts"))
            .into_iter()
            .take(1)
            .collect(),
        mended(|folder| rename(
            folder,
            &format!("{FLOW}.json"),
            "ckpts/SLAT_flow_img_dit_l_64l8p2_fp16.JSON"
        )),
        mended(|folder| rename(folder, "pipeline.json", "pipeline (2).json")),
        mended(|folder| rename(folder, &format!("{FLOW}.safetensors"), "ckpts/model.safetensors")),
        mended(|folder| {
            rename(folder, "ckpts", "x");
            rename(folder, "x", "ckpts/ckpts");
        })
        .into_iter()
        .take(1)
        .collect(),
    ]);
}

#[test]
fn a_damaged_file_gives_way_to_its_whole_second_copy_and_is_kept() {
    let found = mended(|folder| {
        let weights = folder.join(format!("{FLOW}.safetensors"));
        fs::copy(&weights, folder.join(format!("{FLOW} (1).safetensors"))).unwrap();
        fs::write(&weights, "<!doctype html>").unwrap();
    });
    assert!(found.iter().any(|line| line.starts_with("web_page")), "{found:?}");
    assert!(
        found.iter().any(|line| line.starts_with("misplaced")),
        "{found:?}"
    );
}

#[test]
fn a_damaged_description_gives_way_to_its_second_copy() {
    let found = mended(|folder| {
        let text = fs::read(folder.join("pipeline.json")).unwrap();
        fs::write(folder.join("pipeline (1).json"), text).unwrap();
        fs::write(folder.join("pipeline.json"), "Invalid username or password.").unwrap();
    });
    assert!(
        found[0].ends_with("is the error message of a server, not the file itself"),
        "{found:?}"
    );
    assert!(found[1].starts_with("misplaced: `pipeline.json`"), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_file_that_only_has_the_name_is_not_taken() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let weights = folder.join(format!("{FLOW}.safetensors"));
    let whole = fs::read(&weights).unwrap();
    fs::remove_file(&weights).unwrap();
    let copy = folder.join(format!("{FLOW} (1).safetensors"));
    fs::write(&copy, &whole[..whole.len() - 1]).unwrap();
    let found = lines(&machine.check(&folder).problems, machine.root.path());
    assert!(found[0].starts_with("checkpoint_missing"), "{found:?}");
    // Two strangers of the same shapes: nobody can say which is meant.
    fs::remove_file(copy).unwrap();
    for name in ["a", "b"] {
        fs::write(folder.join(format!("ckpts/{name}.safetensors")), &whole).unwrap();
    }
    let found = lines(&machine.check(&folder).problems, machine.root.path());
    assert!(found[0].starts_with("checkpoint_missing"), "{found:?}");
}

#[test]
fn a_link_that_leads_nowhere_is_named_with_where_it_leads() {
    let machine = Machine::with_extras();
    let snapshot = machine.snapshot("org/name", "0123456789abcdef");
    let blob = fs::read_link(snapshot.join(format!("{FLOW}.safetensors"))).unwrap();
    fs::remove_file(blob).unwrap();
    insta::assert_debug_snapshot!(lines(&machine.check(&snapshot).problems, machine.root.path()));
    fs::remove_file(snapshot.join("pipeline.json")).unwrap();
    std::os::unix::fs::symlink("../../blobs/gone", snapshot.join("pipeline.json")).unwrap();
    let found = lines(&machine.check(&snapshot).problems, machine.root.path());
    assert_eq!(
        found,
        ["dangling_link: `pipeline.json` is a broken link: `../../blobs/gone` does not exist"]
    );
}

#[test]
fn a_folder_below_the_models_own_names_that_one() {
    let machine = Machine::with_extras();
    let ckpts = machine.model().join("ckpts");
    let found = lines(&machine.check(&ckpts).problems, machine.root.path());
    assert_eq!(
        found,
        ["pipeline_missing: `~/model/ckpts` has no pipeline.json, but `~/model` does"]
    );
}

#[test]
fn what_lies_in_place_of_a_json_file_is_named() {
    let text = |encode: fn(&str) -> Vec<u8>| encode(&sample::pipeline_text());
    let utf16 = |text: &str| {
        let mut bytes = b"\xff\xfe".to_vec();
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    };
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let mut all = Vec::new();
    for file in ["pipeline.json".to_owned(), format!("{FLOW}.json")] {
        for bytes in [
            b"<!DOCTYPE html><html>".to_vec(),
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1987\n".to_vec(),
            text(utf16),
            text(marked),
            Vec::new(),
            b"null".to_vec(),
            b"\x1f\x8b\x08\0\0\0\0\0".to_vec(),
        ] {
            let machine = Machine::with_extras();
            let folder = machine.model();
            fs::write(folder.join(&file), bytes).unwrap();
            all.extend(lines(&machine.check(&folder).problems, machine.root.path()));
        }
    }
    insta::assert_debug_snapshot!(all);
}

#[test]
fn a_move_reads_the_same_everywhere() {
    let one = Move {
        from: "a".to_owned(),
        to: "ckpts/a".to_owned(),
    };
    assert_eq!(
        sentence(&[one.clone(), one]),
        "move `a` to `ckpts/a` and `a` to `ckpts/a`"
    );
}
