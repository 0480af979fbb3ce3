//! Folders of TRELLIS.2: what is read in them, what is missed, and what they are held against.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use trellis_core::{Explain as _, Model};
use trellis_models::lock::{self, Lock};
use trellis_models::pipeline::Pipeline;
use trellis_models::published::{compare_lock, uncovered, verify};
use trellis_models::{list, repair};
use trellis_pins::Pins;

use crate::kit::{HASHING, Machine, lines, located};
use crate::sample;

const DECODER: &str = "ckpts/shape_dec_next_dc_f16c32_fp16";

fn machine() -> (Machine, std::path::PathBuf) {
    let machine = Machine::with_extras();
    let folder = machine.path("TRELLIS.2-4B");
    sample::write_trellis2(&folder).unwrap();
    (machine, folder)
}

fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let mut pipeline = sample::trellis2_pipeline();
    change(&mut pipeline["args"]);
    fs::write(folder.join("pipeline.json"), pipeline.to_string()).unwrap();
}

#[test]
fn a_sound_folder_has_no_problems_and_each_checkpoint_its_role() {
    let (machine, folder) = machine();
    let report = machine.check(&folder);
    assert_eq!(lines(&report.problems, machine.root.path()), Vec::<String>::new());
    assert_eq!(report.model, Some(Model::Trellis2));
    let roles: usize = report
        .checkpoints
        .iter()
        .map(|checkpoint| checkpoint.roles.len())
        .sum();
    assert_eq!((report.checkpoints.len(), roles), (9, 9));
    assert!(
        report
            .checkpoints
            .iter()
            .all(|checkpoint| checkpoint.sound && checkpoint.present)
    );
    let extras: Vec<&str> = report.extras.iter().map(|extra| extra.name).collect();
    assert_eq!(extras, ["u2net"], "DINOv2 is not read");
}

#[test]
fn what_is_missing_is_named_in_its_place() {
    let (machine, folder) = machine();
    let mut told = Vec::new();
    for file in [
        "dinov3/config.json",
        "dinov3/model.safetensors",
        "ckpts/ss_dec_conv3d_16l8_fp16.safetensors",
        "ckpts/slat_flow_img2shape_dit_1_3B_512_bf16.json",
    ] {
        let aside = folder.join("aside");
        fs::rename(folder.join(file), &aside).unwrap();
        told.extend(lines(&machine.check(&folder).problems, machine.root.path()));
        fs::rename(aside, folder.join(file)).unwrap();
    }
    insta::assert_debug_snapshot!(told);
}

#[test]
fn an_encoder_that_is_another_network_is_told_by_a_tensor() {
    let (machine, folder) = machine();
    let weights = folder.join("dinov3/model.safetensors");
    let header = br#"{"embeddings.cls_token":{"dtype":"F32","shape":[1,1,4],"data_offsets":[0,16]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend([1; 16]);
    fs::write(weights, bytes).unwrap();
    let told = lines(&machine.check(&folder).problems, machine.root.path());
    assert_eq!(
        told,
        [
            "shape: checkpoint `dinov3/model` does not fit its configuration: tensor `embeddings.cls_token` is \
          [1, 1, 4], DINOv3's is [1, 1, 1024]"
        ]
    );
}

/// spconv's convolutions are one level deeper: TRELLIS.2's own loader would leave all of them random.
#[test]
fn convolutions_of_another_layout_are_told() {
    let (machine, folder) = machine();
    let path = folder.join(format!("{DECODER}.safetensors"));
    let bytes = fs::read(&path).unwrap();
    let at = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = String::from_utf8(bytes[8..8 + at].to_vec()).unwrap();
    let header = header.replace("blocks.0.0.conv.weight", "blocks.0.0.conv.conv.weight");
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend_from_slice(header.as_bytes());
    changed.extend_from_slice(&bytes[8 + at..]);
    fs::write(path, changed).unwrap();
    let told = lines(&machine.check(&folder).problems, machine.root.path());
    assert!(
        told.len() == 1 && told[0].ends_with("tensor `blocks.0.0.conv.weight` is missing"),
        "{told:?}"
    );
}

#[test]
fn settings_are_held_against_trellis2_s_own_names() {
    let (machine, folder) = machine();
    edit(&folder, |args| {
        args["shape_slat_sampler"]["params"]["cfg_strength"] = json!(5.0);
        args["tex_slat_sampler"]["params"]["guidance_interval"] = json!([1.0, 0.6]);
        args["tex_slat_normalization"]["std"] = json!([1.0, 0.0]);
        args["image_cond_model"] = json!("dinov2_vitl14_reg");
        let models = args["models"].as_object_mut().unwrap();
        models.remove("tex_slat_decoder");
        models.insert(
            "slat_decoder_gs".to_owned(),
            json!("ckpts/ss_flow_img_dit_1_3B_64_bf16"),
        );
    });
    insta::assert_debug_snapshot!(lines(&machine.check(&folder).problems, machine.root.path()));
}

#[test]
fn the_pins_cover_what_is_read_and_find_what_differs() {
    let (_machine, folder) = machine();
    let pins = &Pins::embedded().models.folders[Model::Trellis2.name()];
    let read = Pipeline::read(&folder).unwrap().files_read(&folder);
    let mut pinned: Vec<&str> = pins.files.iter().map(|file| file.path.as_str()).collect();
    let mut sorted: Vec<&str> = read.iter().map(String::as_str).collect();
    pinned.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(sorted, pinned);
    assert_eq!(uncovered(Some(Model::Trellis2), &read), Vec::<&str>::new());
    assert_eq!(
        uncovered(Some(Model::TrellisImageLarge), &read).len(),
        read.len() - 3
    );
    assert_eq!(uncovered(None, &read).len(), read.len());
    // The encoder has the published length, its configuration is the published one: all others differ in length.
    let without_encoder: Vec<String> = read
        .iter()
        .filter(|name| !name.ends_with("v3/model.safetensors"))
        .cloned()
        .collect();
    let found = verify(Model::Trellis2, &folder, &without_encoder, &|_| {});
    assert!(found.iter().all(|problem| problem.kind() == "pinned_size"));
    assert_eq!(found.len(), read.len() - 2);
}

#[test]
fn a_lock_has_the_encoder_and_is_held_against_the_pins() {
    let machine = Machine::with_small_extras();
    let folder = machine.path("TRELLIS.2-4B");
    sample::write_trellis2(&folder).unwrap();
    // Quick to hash.
    fs::write(folder.join("dinov3/model.safetensors"), "small").unwrap();
    let mut lock: Lock = lock::make(&folder, &machine.places, HASHING).unwrap();
    assert!(lock.file("dinov3/model.safetensors").is_some());
    assert!(lock.file("ckpts/ss_dec_conv3d_16l8_fp16.safetensors").is_some());
    let extras: Vec<&str> = lock.extras.iter().map(|extra| extra.name.as_str()).collect();
    assert_eq!(extras, ["u2net"]);
    assert!(lock.verify(&folder, &machine.places, None).is_empty());
    let pins = &Pins::embedded().models.folders[Model::Trellis2.name()];
    lock.repo = Some(pins.repository.clone());
    lock.revision = Some(pins.revision.clone());
    // All but the encoder's configuration are other files.
    assert_eq!(compare_lock(&lock).len(), pins.files.len() - 1);
}

#[test]
fn a_folder_that_was_checked_is_listed() {
    let (machine, folder) = machine();
    let report = machine.check(&folder);
    trellis_models::record::Record::note(&machine.places.state, &report, jiff::Timestamp::UNIX_EPOCH)
        .unwrap();
    let found = list::list(&machine.places);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].pipeline, "Trellis2ImageTo3DPipeline");
    assert_eq!(found[0].files, 20);
}

#[test]
fn a_repair_takes_the_other_repository_s_decoder_from_there() {
    let (machine, folder) = machine();
    for ending in ["json", "safetensors"] {
        fs::remove_file(folder.join(format!("ckpts/ss_dec_conv3d_16l8_fp16.{ending}"))).unwrap();
    }
    let options = repair::Options {
        repo: Some("microsoft/TRELLIS.2-4B".to_owned()),
        ..Default::default()
    };
    let plan = repair::plan(&located(&folder), &options, &machine.places).unwrap();
    assert_eq!(
        plan.remedies,
        [repair::Remedy::Fetch {
            name: "ckpts/ss_dec_conv3d_16l8_fp16".to_owned(),
            repo: sample::LARGE.to_owned(),
            remote: "ckpts/ss_dec_conv3d_16l8_fp16".to_owned(),
        }]
    );
}
