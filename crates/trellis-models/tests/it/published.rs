//! Files are held against the published ones where they claim to be those, and with hashing always.

use std::fs;

use trellis_core::Explain as _;
use trellis_core::Model;
use trellis_models::Severity;
use trellis_models::lock::{self, Lock};
use trellis_models::pipeline::Pipeline;
use trellis_models::published::{compare_lock, uncovered, verify, verify_extras};
use trellis_pins::Pins;

use crate::kit::{HASHING, Machine, lines};

fn names() -> Vec<String> {
    let files = Pins::embedded().models.folders[Model::DEFAULT.name()]
        .files
        .iter();
    files.map(|file| file.path.clone()).collect()
}

#[test]
fn pinned_folders_are_models_and_the_usual_one_is_among_them() {
    let pinned: Vec<&str> = Pins::embedded()
        .models
        .folders
        .keys()
        .map(String::as_str)
        .collect();
    let models = Model::ALL.map(Model::name);
    assert!(pinned.iter().all(|name| models.contains(name)), "{pinned:?}");
    assert!(pinned.contains(&Model::DEFAULT.name()));
}

#[test]
fn a_folder_of_other_bytes_is_not_the_published_one() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let pipeline = Pipeline::read(&folder).unwrap();
    let read = pipeline.files_read(&folder);
    let mut pinned = names();
    pinned.sort();
    let mut sorted = read.clone();
    sorted.sort();
    assert_eq!(sorted, pinned, "the pins cover what inference reads");
    assert!(uncovered(&read).is_empty() && uncovered(&["ckpts/mine.json".to_owned()]).len() == 1);
    let found = verify(&folder, &read, &|_| {});
    let errors = found
        .iter()
        .filter(|problem| problem.severity() == Severity::Error)
        .count();
    // Three texts were put together: a difference there is only said.
    assert_eq!(
        (errors, found.len()),
        (10, 13),
        "{:?}",
        lines(&found, machine.root.path())
    );
}

#[test]
fn the_published_length_with_other_bytes_is_found_by_hashing_alone() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let (path, size) = ("ckpts/ss_dec_conv3d_16l8_fp16.json", 245);
    let mut text = fs::read(folder.join(path)).unwrap();
    text.resize(size, b' ');
    fs::write(folder.join(path), text).unwrap();
    assert!(machine.check(&folder).passed());
    let found = verify(&folder, &[path.to_owned()], &|_| {});
    let said = lines(&found, machine.root.path());
    assert!(
        said[0].starts_with("pinned_hash: ") && said[0].ends_with("(by 3 public sources)"),
        "{said:?}"
    );
}

#[test]
fn extras_of_the_published_length_are_hashed_and_others_are_not() {
    let machine = Machine::with_small_extras();
    let pipeline = Pipeline::read(&machine.model()).unwrap();
    assert!(verify_extras(&pipeline, &machine.places, &|_| {}).is_empty());
    let u2net = machine.places.u2net.join("u2net.onnx");
    let size = Pins::embedded().models.u2net.size;
    fs::OpenOptions::new()
        .write(true)
        .open(u2net)
        .unwrap()
        .set_len(size)
        .unwrap();
    let found = lines(
        &verify_extras(&pipeline, &machine.places, &|_| {}),
        machine.root.path(),
    );
    assert!(
        found.len() == 1 && found[0].starts_with("pinned_hash: `~/u2net/u2net.onnx`"),
        "{found:?}"
    );
}

/// The published files cannot be here; a snapshot that says it is theirs can.
#[test]
fn a_snapshot_of_the_pinned_commit_is_held_against_the_pins_without_hashing() {
    let machine = Machine::with_extras();
    let model = &Pins::embedded().models.folders[Model::DEFAULT.name()];
    let snapshot = machine.snapshot(&model.repository, &model.revision);
    let report = machine.check(&snapshot);
    let sizes = report
        .problems
        .iter()
        .filter(|problem| problem.kind() == "pinned_size");
    assert_eq!(sizes.count(), model.files.len());
}

#[test]
fn a_checkpoint_beside_the_published_configuration_needs_its_counts() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let config = folder.join("ckpts/ss_dec_conv3d_16l8_fp16.json");
    let published =
        "{\n    \"name\": \"SparseStructureDecoder\",\n    \"args\": {\n        \"out_channels\": 1";
    assert!(!fs::read_to_string(&config).unwrap().starts_with(published));
    // A file of the published length claims to be the published one.
    let weights = folder.join("ckpts/ss_dec_conv3d_16l8_fp16.safetensors");
    let header = trellis_models::header::Header::read(&weights).unwrap();
    let size = Pins::embedded().models.folders[Model::DEFAULT.name()]
        .file("ckpts/ss_dec_conv3d_16l8_fp16.safetensors")
        .unwrap()
        .size;
    grow(&weights, header.file_bytes, size);
    let found = lines(&machine.check(&folder).problems, machine.root.path());
    assert!(
        found[0].starts_with("counts: ") && found[0].ends_with("the published one 74 with 73671201"),
        "{found:?}"
    );
}

/// Adds a tensor of bytes so that the file has `size` bytes: the header grows, the rest is a hole.
fn grow(path: &std::path::Path, length: u64, size: u64) {
    let old = fs::read(path).unwrap();
    let header = usize::try_from(u64::from_le_bytes(old[..8].try_into().unwrap())).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&old[8..8 + header]).unwrap();
    let data = length - 8 - header as u64;
    // The entry's length in digits is settled first: a few rounds are enough.
    let mut extra = size - length;
    let text = loop {
        let mut json = json.clone();
        let offsets = [data, data + extra];
        json["zz"] = serde_json::json!({ "dtype": "F16", "shape": [extra / 2], "data_offsets": offsets });
        let mut text = json.to_string();
        let total = 8 + text.len() as u64 + data + extra;
        if total <= size {
            let missing = usize::try_from(size - total).unwrap();
            if missing < 64 {
                text.push_str(&" ".repeat(missing));
                break text;
            }
        }
        extra -= 2 * (total.abs_diff(size) / 2).max(1);
    };
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(&old[8 + header..]);
    fs::write(path, &bytes).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(size)
        .unwrap();
}

#[test]
fn a_lock_of_the_pinned_commit_must_say_what_the_pins_say() {
    let machine = Machine::with_small_extras();
    let mut lock: Lock = lock::make(&machine.model(), &machine.places, HASHING).unwrap();
    assert!(
        compare_lock(&lock).is_empty(),
        "a folder of one's own is locked as it is"
    );
    let model = &Pins::embedded().models.folders[Model::DEFAULT.name()];
    lock.repo = Some(model.repository.clone());
    lock.revision = Some(model.revision.clone());
    assert_eq!(compare_lock(&lock).len(), model.files.len());
    for file in &mut lock.files {
        file.sha256 = model.file(&file.path).unwrap().sha256;
    }
    assert!(compare_lock(&lock).is_empty());
}
