//! TRELLIS.2's encoder of shapes, which only texturing a given mesh needs: absent, without a configuration, with
//! another one, in the wrong place, and in the lock.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use trellis_core::{Explain, Model};
use trellis_models::lock;
use trellis_models::pipeline::Pipeline;
use trellis_models::published::uncovered;
use trellis_models::repair::{self, Options, Remedy, apply, plan};
use trellis_models::shape_encoder::{NAME, published};
use trellis_pins::Pins;

use crate::kit::{HASHING, Machine, lines, located};
use crate::sample;

/// A folder whose files are quick to hash.
fn machine() -> (Machine, PathBuf) {
    let machine = Machine::with_small_extras();
    let folder = machine.path("TRELLIS.2-4B");
    sample::write_trellis2(&folder).unwrap();
    (machine, folder)
}

fn weights(folder: &Path) -> PathBuf {
    folder.join(format!("{NAME}.safetensors"))
}

fn write_config(folder: &Path, change: impl FnOnce(&mut Value)) {
    let config = published();
    let mut value = json!({ "name": config.name, "args": config.args });
    change(&mut value);
    fs::write(folder.join(format!("{NAME}.json")), value.to_string()).unwrap();
}

fn told(machine: &Machine, folder: &Path) -> Vec<String> {
    let about = |line: &String| line.contains("shape_enc");
    lines(&machine.check(folder).problems, machine.root.path())
        .into_iter()
        .filter(about)
        .collect()
}

#[test]
fn a_folder_without_it_is_sound_but_for_texturing() {
    let (machine, folder) = machine();
    assert_eq!(told(&machine, &folder), Vec::<String>::new());
    fs::remove_file(weights(&folder)).unwrap();
    // By itself a configuration is of no use.
    write_config(&folder, |_| {});
    for named in [false, true] {
        let mut pipeline = sample::trellis2_pipeline();
        if named {
            pipeline["args"]["models"]["shape_slat_encoder"] = json!(NAME);
        }
        fs::write(folder.join("pipeline.json"), pipeline.to_string()).unwrap();
        let report = machine.check(&folder);
        assert!(report.passed());
        assert_eq!(
            told(&machine, &folder),
            [format!(
                "shape_encoder_missing: `{NAME}.safetensors`, TRELLIS.2's encoder of shapes, is missing: no given mesh \
                 can be textured"
            )]
        );
        let encoder = report
            .checkpoints
            .iter()
            .find(|checkpoint| checkpoint.name == NAME)
            .unwrap();
        assert_eq!((encoder.present, encoder.sound), (false, false));
        let read = Pipeline::read(&folder).unwrap().files_read(&folder);
        assert!(!read.iter().any(|file| file.contains("shape_enc")), "{read:?}");
    }
}

#[test]
fn one_that_pipeline_json_names_takes_the_place_of_the_published_one() {
    let (machine, folder) = machine();
    let mut pipeline = sample::trellis2_pipeline();
    pipeline["args"]["models"]["shape_slat_encoder"] = json!("ckpts/mine");
    fs::write(folder.join("pipeline.json"), pipeline.to_string()).unwrap();
    let problems = lines(&machine.check(&folder).problems, machine.root.path());
    assert!(
        problems
            .iter()
            .any(|line| line.starts_with("shape_encoder_missing: `ckpts/mine.safetensors`")),
        "{problems:?}"
    );
    fs::rename(weights(&folder), folder.join("ckpts/mine.safetensors")).unwrap();
    assert!(told(&machine, &folder).is_empty());
    let encoder = Pipeline::read(&folder).unwrap().shape_encoder().unwrap();
    assert_eq!(encoder.as_str(), "ckpts/mine");
}

#[test]
fn weights_of_another_network_do_not_fit_what_is_built_in() {
    let (machine, folder) = machine();
    fs::copy(
        folder.join("ckpts/shape_dec_next_dc_f16c32_fp16.safetensors"),
        weights(&folder),
    )
    .unwrap();
    assert_eq!(
        told(&machine, &folder),
        [format!(
            "shape: checkpoint `{NAME}` does not fit its configuration: tensor `input_layer.weight` is missing"
        )]
    );
}

/// Weights as long as the published ones, with the tensors that are looked for and one that fills the rest.
fn write_published_length(folder: &Path) {
    let pins = &Pins::embedded().models.folders[Model::Trellis2.name()];
    let size = pins.file(&format!("{NAME}.safetensors")).unwrap().size;
    let head = 1024;
    let all = size - 8 - head;
    let mut at = 0;
    let mut header = serde_json::Map::new();
    for (name, shape) in [
        ("input_layer.weight", vec![64, 6]),
        ("to_latent.weight", vec![64, 1024]),
        ("blocks.1.0.conv.weight", vec![128, 3, 3, 3, 128]),
    ] {
        let end = at + 2 * shape.iter().product::<u64>();
        header.insert(
            name.to_owned(),
            json!({ "dtype": "F16", "shape": shape, "data_offsets": [at, end] }),
        );
        at = end;
    }
    header.insert(
        "rest".to_owned(),
        json!({ "dtype": "F16", "shape": [(all - at) / 2], "data_offsets": [at, all] }),
    );
    let mut text = Value::Object(header).to_string();
    text.push_str(&" ".repeat(usize::try_from(head).unwrap() - text.len()));
    let mut bytes = head.to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    fs::write(weights(folder), bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(weights(folder)).unwrap();
    file.set_len(size).unwrap();
}

#[test]
fn a_configuration_beside_the_published_weights_must_say_what_is_built_in() {
    let (machine, folder) = machine();
    write_published_length(&folder);
    write_config(&folder, |config| {
        config["args"]["block_args"] =
            json!([{"use_checkpoint": true}, {"use_checkpoint": true}, {}, {}, {}]);
    });
    // It gets as far as its numbers, which are zeros.
    let found = told(&machine, &folder);
    assert!(found.len() == 1 && found[0].starts_with("zeros: "), "{found:?}");
    write_config(&folder, |config| config["args"]["use_fp16"] = json!(false));
    assert_eq!(
        told(&machine, &folder),
        [format!(
            "config_differs: checkpoint `{NAME}` is the published one, but its configuration is not: `use_fp16` differs"
        )]
    );
    let options = Options {
        repo: Some("microsoft/TRELLIS.2-4B".to_owned()),
        ..Options::default()
    };
    let plan = plan(&located(&folder), &options, &machine.places).unwrap();
    assert!(plan.remedies.is_empty(), "nothing is downloaded for it: {plan:?}");
    assert!(
        plan.unsolved[0].advice.starts_with("delete its `.json`"),
        "{plan:?}"
    );
    let files = [format!("{NAME}.json"), format!("{NAME}.safetensors")];
    assert_eq!(uncovered(Some(Model::Trellis2), &files), Vec::<&str>::new());
    assert_eq!(uncovered(Some(Model::TrellisImageLarge), &files).len(), 2);
    assert_eq!(
        uncovered(Some(Model::Trellis2), &["ckpts/mine.json".to_owned()]).len(),
        1
    );
}

#[test]
fn the_lock_has_what_of_it_is_there() {
    let (machine, folder) = machine();
    // Quick to hash.
    fs::write(folder.join("dinov3/model.safetensors"), "small").unwrap();
    let aside = machine.path("aside");
    fs::rename(weights(&folder), &aside).unwrap();
    let before = lock::make(&folder, &machine.places, HASHING).unwrap();
    let file = format!("{NAME}.safetensors");
    assert!(before.file(&file).is_none());
    assert!(before.verify(&folder, &machine.places, None).is_empty());
    fs::rename(&aside, weights(&folder)).unwrap();
    let unlocked = before.verify(&folder, &machine.places, None);
    assert_eq!(
        lines(&unlocked, machine.root.path()),
        [format!(
            "not_locked: `{file}` is read by TRELLIS but is not in the lock"
        )]
    );
    let lock = lock::make(&folder, &machine.places, HASHING).unwrap();
    assert!(lock.file(&file).is_some() && lock.file(&format!("{NAME}.json")).is_none());
    // Another file of the same length is told by its digest.
    let mut bytes = fs::read(weights(&folder)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(weights(&folder), bytes).unwrap();
    let kinds: Vec<&str> = lock
        .verify(&folder, &machine.places, Some(HASHING))
        .iter()
        .map(Explain::kind)
        .collect();
    assert_eq!(kinds, ["locked_hash"]);
    fs::remove_file(weights(&folder)).unwrap();
    let gone = lock.verify(&folder, &machine.places, None);
    assert_eq!(
        gone.iter().map(Explain::kind).collect::<Vec<_>>(),
        ["locked_file_missing"]
    );
}

#[test]
fn it_is_found_in_the_wrong_place_and_copied_from_another_folder() {
    let (machine, folder) = machine();
    fs::rename(
        weights(&folder),
        folder.join("shape_enc_next_dc_f16c32_fp16 (1).safetensors"),
    )
    .unwrap();
    let found = told(&machine, &folder);
    assert!(
        found.len() == 1 && found[0].starts_with("misplaced: "),
        "{found:?}"
    );
    let moved = plan(&located(&folder), &Options::default(), &machine.places).unwrap();
    assert!(matches!(&moved.remedies[..], [Remedy::Move { .. }]), "{moved:?}");
    apply(&moved).unwrap();
    assert!(told(&machine, &folder).is_empty());

    // Nothing is left undone where no copy can be had: pictures need none, and a repository may have none.
    let other = machine.path("other");
    fs::create_dir_all(other.join("ckpts")).unwrap();
    fs::rename(weights(&folder), weights(&other)).unwrap();
    let downloads = Options {
        repo: Some("ada/mine".to_owned()),
        ..Options::default()
    };
    let nothing = plan(&located(&folder), &downloads, &machine.places).unwrap();
    assert!(
        nothing.remedies.is_empty() && nothing.unsolved.is_empty(),
        "{nothing:?}"
    );
    let options = Options {
        from: vec![other],
        ..Options::default()
    };
    let copied = plan(&located(&folder), &options, &machine.places).unwrap();
    let changed = apply(&copied).unwrap();
    assert_eq!(changed.len(), 1, "it has no configuration to copy");
    assert!(told(&machine, &folder).is_empty());
    repair::undo(&folder, false).unwrap();
    assert!(!weights(&folder).exists());

    // One that is damaged is replaced.
    fs::write(weights(&folder), "short").unwrap();
    let replaced = plan(&located(&folder), &downloads, &machine.places).unwrap();
    assert!(
        matches!(&replaced.remedies[..], [Remedy::Fetch { remote, .. }] if remote == NAME),
        "{replaced:?}"
    );
}

/// The worker builds the encoder by the same values.
#[test]
fn the_worker_has_the_same_name_and_configuration() {
    let worker = include_str!("../../../../worker/trellis_worker/families/trellis2_texturing.py");
    let config = published();
    let mut lines = vec![
        format!("CHECKPOINT = \"{NAME}\""),
        format!("\"name\": \"{}\"", config.name),
    ];
    lines.extend(config.args.iter().map(|(name, value)| match value {
        Value::Array(items) if !items[0].is_number() => {
            format!("\"{name}\": [{}] * {}", items[0], items.len())
        }
        Value::Array(_) => format!("\"{name}\": {}", value.to_string().replace(',', ", ")),
        Value::Bool(flag) => format!("\"{name}\": {}", if *flag { "True" } else { "False" }),
        other => format!("\"{name}\": {other}"),
    }));
    for line in lines {
        assert!(worker.contains(&line), "trellis2_texturing.py should say: {line}");
    }
}
