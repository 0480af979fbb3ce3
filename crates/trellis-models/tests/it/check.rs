//! What `check` says of each way in which a folder can be wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sample;
use serde_json::{Value, json};
use trellis_core::Explain as _;
use trellis_models::Severity;
use trellis_models::lock::Lock;

use crate::kit::{Machine, lines};

const FLOW: &str = "ckpts/slat_flow_img_dit_L_64l8p2_fp16";

/// Breaks a sound model with `break_it` and returns what is found.
fn found(break_it: impl FnOnce(&Path)) -> Vec<String> {
    let machine = Machine::with_extras();
    let folder = machine.model();
    break_it(&folder);
    lines(&machine.check(&folder).problems, machine.root.path())
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

fn edit_pipeline(change: impl FnOnce(&mut Value)) -> impl FnOnce(&Path) {
    |folder: &Path| edit(&folder.join("pipeline.json"), |value| change(&mut value["args"]))
}

#[test]
fn a_sound_folder_has_no_problems() {
    let machine = Machine::with_extras();
    let report = machine.check(&machine.model());
    assert_eq!(lines(&report.problems, machine.root.path()), [""; 0]);
    assert!(report.checkpoints.iter().all(|c| c.sound && c.present));
    assert_eq!(report.checkpoints.len(), 6);
    assert_eq!(report.checkpoints[0].dtypes, ["F16"]);
}

#[test]
fn the_folder_of_the_notes_is_diagnosed_in_one_sentence() {
    let machine = Machine::with_extras();
    let report = machine.check(&machine.model_of_the_notes());
    let json = serde_json::to_string_pretty(&report).unwrap();
    insta::assert_snapshot!(json.replace(&machine.root.path().display().to_string(), "~"));
}

#[test]
fn the_substitution_of_the_notes_is_seen_through_when_made_by_hand() {
    insta::assert_debug_snapshot!(found(edit_pipeline(|args| {
        args["models"]["slat_flow_model"] = args["models"]["sparse_structure_flow_model"].clone();
    })));
}

#[test]
fn each_way_to_lack_or_damage_a_file_has_its_own_sentence() {
    let weights = format!("{FLOW}.safetensors");
    let config = format!("{FLOW}.json");
    let overwrite = |name: &str, bytes: &[u8]| {
        let (name, bytes) = (name.to_owned(), bytes.to_owned());
        found(move |folder| fs::write(folder.join(name), bytes).unwrap())
    };
    let resize = |by: i64| {
        found(|folder| {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(folder.join(&weights))
                .unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length.checked_add_signed(by).unwrap()).unwrap();
        })
    };
    let all = [
        resize(-1000),
        resize(8),
        overwrite(&weights, b"version https://git-lfs.github.com/spec/v1\n"),
        overwrite(&weights, b"<!doctype html><title>429"),
        overwrite(&weights, b"\xff\xff\xff\xff\xff\xff\xff\xff{}"),
        overwrite(&config, b"{\"name\": "),
        overwrite(
            &config,
            b"{\"name\":\"SLatFlowModel\",\"args\":{\"resolution\":64}}",
        ),
        overwrite(&config, b"{\"name\":\"SLatFlowModelV2\",\"args\":{}}"),
        found(|folder| fs::remove_file(folder.join(&weights)).unwrap()),
        found(|folder| fs::remove_file(folder.join(&config)).unwrap()),
        found(|folder| fs::remove_file(folder.join("pipeline.json")).unwrap()),
        overwrite("pipeline.json", b"{"),
    ];
    insta::assert_debug_snapshot!(all);
}

#[test]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    let pipe = |path: &Path| {
        let _ = fs::remove_file(path);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        Lock::read(path).unwrap_err()
    };
    let told = found(|folder| {
        pipe(&folder.join("pipeline.json"));
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("it is not a regular file"), "{told:?}");
}

#[test]
fn weights_of_another_configuration_are_named() {
    let set = |argument: &'static str, value: Value| {
        found(move |folder| {
            edit(&folder.join(format!("{FLOW}.json")), |config| {
                config["args"][argument] = value;
            });
        })
    };
    insta::assert_debug_snapshot!([
        set("model_channels", json!(1024)),
        set("num_blocks", json!(24)),
        set("out_channels", json!(9)),
        set("cond_channels", json!(768)),
    ]);
}

#[test]
fn settings_are_held_against_what_trellis_takes() {
    insta::assert_debug_snapshot!(found(edit_pipeline(|args| {
        args["sparse_structure_sampler"]["name"] = json!("EulerSampler");
        args["slat_sampler"]["params"]["steps"] = json!(0);
        args["slat_sampler"]["params"]["cfg_interval"] = json!([1.0, 0.5]);
        args["slat_sampler"]["params"]["cfg_scale"] = json!(3);
        args["slat_normalization"]["std"] = json!([1.0]);
        args["image_cond_model"] = json!("dinov3_vitl16");
        args["models"].as_object_mut().unwrap().remove("slat_decoder_gs");
        args["models"]["upsampler"] = json!("ckpts/ss_dec_conv3d_16l8_fp16");
    })));
}

#[test]
fn features_of_the_wrong_width_are_found_across_models() {
    insta::assert_debug_snapshot!(found(edit_pipeline(|args| {
        args["image_cond_model"] = json!("dinov2_vitb14_reg");
    })));
}

#[test]
fn refuses_path_traversal_in_checkpoint_name() {
    insta::assert_debug_snapshot!(found(edit_pipeline(|args| {
        args["models"]["slat_flow_model"] = json!("../../etc/passwd");
    })));
}

#[test]
fn another_repository_is_a_download_unless_it_is_here() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let other = "microsoft/TRELLIS-image-large/ckpts/ss_dec_conv3d_16l8_fp16";
    edit(&folder.join("pipeline.json"), |value| {
        value["args"]["models"]["sparse_structure_decoder"] = json!(other);
    });
    let report = machine.check(&folder);
    let [problem] = &report.problems[..] else {
        panic!("{:?}", lines(&report.problems, machine.root.path()))
    };
    assert_eq!(
        (problem.kind(), problem.severity()),
        ("would_download", Severity::Warning)
    );
    machine.snapshot("microsoft/TRELLIS-image-large", "0123456789abcdef");
    assert_eq!(
        lines(&machine.check(&folder).problems, machine.root.path()),
        [""; 0]
    );
}

#[test]
fn a_snapshot_of_links_is_read_like_a_folder_and_found_by_its_repository() {
    let machine = Machine::with_extras();
    machine.snapshot("microsoft/TRELLIS-image-large", "0123456789abcdef");
    let located = trellis_models::locate("microsoft/TRELLIS-image-large", &machine.places).unwrap();
    let report = trellis_models::check::check(&located, &machine.places);
    assert_eq!(lines(&report.problems, machine.root.path()), [""; 0]);
    assert_eq!(report.snapshot.unwrap().revision, "0123456789abcdef");
}

#[test]
fn extras_that_would_be_downloaded_are_warnings() {
    let machine = Machine::new();
    let report = machine.check(&machine.model());
    assert!(report.passed());
    insta::assert_debug_snapshot!(lines(&report.problems, machine.root.path()));
}

#[test]
fn unnamed_checkpoints_are_listed_and_do_not_fail_the_check() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    sample::write_checkpoint(&folder, "ss_dec_mine", "SparseStructureDecoder").unwrap();
    fs::write(folder.join("ckpts/broken.safetensors"), "x").unwrap();
    let report = machine.check(&folder);
    assert!(report.problems.is_empty());
    let unnamed = report.checkpoints.iter().filter(|c| c.roles.is_empty());
    let unnamed: Vec<_> = unnamed.map(|c| (c.name.as_str(), c.sound)).collect();
    assert_eq!(unnamed, [("ckpts/broken", false), ("ckpts/ss_dec_mine", true)]);
}
