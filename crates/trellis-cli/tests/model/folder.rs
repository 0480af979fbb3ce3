//! check, lock, repair and list on folders, without a network.

use std::fs;

use crate::kit::Machine;
use crate::sample::{self, MISSING_IN_NOTES};

#[test]
fn the_folder_of_the_notes_is_diagnosed() {
    let machine = Machine::new();
    machine.model_of_the_notes();
    insta::assert_snapshot!(machine.transcript(&["check", "model"]));
}

#[test]
fn a_sound_folder_is_fine_and_a_folder_that_is_none_is_said() {
    let machine = Machine::new();
    machine.model("model");
    insta::assert_snapshot!(
        [
            machine.transcript(&["check", "model"]),
            machine.transcript(&["check", "modle"])
        ]
        .join("\n")
    );
}

#[test]
fn what_texturing_needs_is_listed_and_its_absence_is_a_warning() {
    let machine = Machine::new();
    let folder = machine.path("model");
    sample::write_trellis2(&folder).unwrap();
    let whole = machine.transcript(&["check", "model"]);
    fs::remove_file(folder.join("ckpts/shape_enc_next_dc_f16c32_fp16.safetensors")).unwrap();
    insta::assert_snapshot!([whole, machine.transcript(&["check", "model"])].join("\n"));
}

#[test]
fn files_in_the_wrong_place_are_moved_as_check_and_the_dry_run_say() {
    let machine = Machine::new();
    let folder = machine.model("model");
    let name = "slat_flow_img_dit_L_64l8p2_fp16.safetensors";
    fs::rename(
        folder.join("ckpts").join(name),
        folder.join("slat_flow_img_dit_L_64l8p2_fp16 (1).safetensors"),
    )
    .unwrap();
    let mut told: Vec<String> = [
        &["check", "model"][..],
        &["repair", "model", "--dry-run"],
        &["repair", "model"],
        &["repair", "model", "--undo"],
    ]
    .map(|arguments| machine.transcript(arguments))
    .into();
    told.remove(0);
    insta::assert_snapshot!(told.join("\n"));
    let proposed = machine.transcript(&["check", "model"]);
    let line = told[0].lines().find(|line| line.contains(": move ")).unwrap();
    let moves = line.split_once(": ").unwrap().1;
    assert!(proposed.contains(moves), "{proposed}");
}

#[test]
fn hashing_without_a_lock_holds_a_folder_against_the_published_model() {
    let machine = Machine::with_small_extras();
    machine.model("model");
    let told = machine.transcript(&["check", "model", "--hash"]);
    assert!(told.starts_with("exit 1"), "{told}");
    let sizes = told.matches(", the published file ").count();
    assert_eq!(sizes, 13, "{told}");
    assert!(
        told.contains("10 errors, 5 warnings (every byte was hashed)"),
        "{told}"
    );
}

#[test]
fn json_holds_what_the_text_does_for_findings_and_for_faults() {
    let machine = Machine::new();
    machine.model_of_the_notes();
    let output = machine.run(&["check", "model", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["problems"][0]["kind"], "checkpoint_missing");
    assert_eq!(report["checkpoints"].as_array().unwrap().len(), 6);
    let output = machine.run(&["check", "org/none", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let fault: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(fault["error"]["kind"], "not_cached");
}

#[test]
fn a_lock_is_written_printed_for_nix_and_verified() {
    let machine = Machine::with_small_extras();
    let folder = machine.model("model");
    let locked = machine.run(&["lock", "model", "--repo", "org/model", "--revision", "0123"]);
    assert!(
        machine
            .told(&locked)
            .starts_with("exit 0\n--- stdout\n{\n  repo = \"org/model\";\n  rev = \"0123\";\n")
    );
    assert!(
        machine
            .transcript(&["check", "model", "--locked"])
            .contains("0 errors, 2 warnings (every byte was hashed)")
    );
    let weights = folder.join("ckpts/ss_dec_conv3d_16l8_fp16.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(weights, bytes).unwrap();
    assert!(
        machine.transcript(&["check", "model"]).starts_with("exit 0"),
        "sizes alone do not show it"
    );
    let told = machine.transcript(&["check", "model", "--hash"]);
    assert!(
        told.starts_with("exit 1") && told.contains("the lock says"),
        "{told}"
    );
    machine.model("unlocked");
    assert!(
        machine
            .transcript(&["check", "unlocked", "--locked"])
            .contains("there is no lock")
    );
}

#[test]
fn a_repair_from_another_folder_is_shown_made_and_taken_back() {
    let machine = Machine::new();
    let folder = machine.model_of_the_notes();
    machine.model("whole");
    let weights = folder.join(format!("ckpts/{MISSING_IN_NOTES}.safetensors"));
    let dry = machine.transcript(&["repair", "model", "--from", "whole", "--dry-run"]);
    assert!(!weights.exists());
    let made = machine.transcript(&["repair", "model", "--from", "whole"]);
    assert!(machine.transcript(&["check", "model"]).starts_with("exit 0"));
    let again = machine.transcript(&["repair", "model", "--from", "whole"]);
    let undone = machine.transcript(&["repair", "model", "--undo"]);
    assert!(!weights.exists());
    insta::assert_snapshot!([dry, made, again, undone].join("\n"));
}

#[test]
fn a_substitute_flow_model_needs_the_request_and_warns() {
    let machine = Machine::new();
    machine.model_of_the_notes();
    let without = machine.transcript(&["repair", "model", "--no-fetch"]);
    let dry = machine.transcript(&[
        "repair",
        "model",
        "--no-fetch",
        "--substitute-flow-model",
        "--dry-run",
    ]);
    // The flag's old name, which no help shows.
    let old = machine.transcript(&["repair", "model", "--no-fetch", "--as-in-notes", "--dry-run"]);
    assert_eq!(old.replace("--as-in-notes", "--substitute-flow-model"), dry);
    let with = machine.transcript(&["repair", "model", "--no-fetch", "--substitute-flow-model"]);
    let check = machine.transcript(&["check", "model"]);
    let undone = machine.transcript(&["repair", "model", "--undo"]);
    insta::assert_snapshot!([without, dry, with, check, undone].join("\n"));
}

#[test]
fn offline_is_said_and_a_substitute_is_made_on_request() {
    let machine = Machine::new();
    machine.model_of_the_notes();
    let offline = |arguments: &[&str]| {
        let mut command = machine.command(arguments);
        machine.told(&command.env("HF_HUB_OFFLINE", "1").output().unwrap())
    };
    let said = offline(&["repair", "model"]);
    let dry = offline(&["repair", "model", "--dry-run", "--substitute-flow-model"]);
    assert!(dry.contains("instead") && dry.contains("--dry-run"), "{dry}");
    let instead = offline(&["repair", "model", "--substitute-flow-model"]);
    insta::assert_snapshot!([said, instead].join("\n"));
}

#[test]
fn list_knows_what_was_checked() {
    let machine = Machine::new();
    assert!(machine.transcript(&["list"]).contains("no TRELLIS model in"));
    machine.model("model");
    machine.run(&["check", "model"]);
    let output = machine.run(&["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed[0]["files"], 13);
    assert_eq!(listed[0]["last_check"]["errors"], 0);
    assert!(machine.transcript(&["list"]).contains("nothing wrong"));
}

#[test]
fn what_no_repair_mends_is_not_called_fine() {
    let machine = Machine::new();
    let folder = machine.model("model");
    let weights = folder.join("ckpts/slat_flow_img_dit_L_64l8p2_fp16.safetensors.aria2");
    fs::write(weights, "x").unwrap();
    for arguments in [&["repair", "model", "--dry-run"][..], &["repair", "model"]] {
        let told = machine.transcript(arguments);
        assert!(told.starts_with("exit 1"), "{told}");
        assert!(
            told.contains("is unfinished: aria2") && told.contains("`repair` cannot fix these"),
            "{told}"
        );
        assert!(!told.contains("nothing to repair"), "{told}");
    }
    let told = machine.transcript(&["repair", "model", "--json"]);
    assert!(told.contains("\"left\": [\n"), "{told}");
}

#[test]
fn a_folder_of_snapshots_stands_for_its_repository_and_a_cache_is_left_alone() {
    let machine = Machine::new();
    let repo = machine.path("hub/models--org--name");
    fs::create_dir_all(repo.join("snapshots")).unwrap();
    fs::rename(machine.model("model"), repo.join("snapshots/0123abc")).unwrap();
    let told = machine.transcript(&["check", "hub/models--org--name/snapshots"]);
    assert!(!told.contains("move "), "{told}");
    let told = machine.transcript(&["repair", "hub/models--org--name/snapshots"]);
    assert!(
        told.contains("is in a hub cache, which is never edited"),
        "{told}"
    );
    let told = machine.transcript(&["check", "hub"]);
    assert!(
        told.contains("has no pipeline.json") && !told.contains("move "),
        "{told}"
    );
    assert!(repo.join("snapshots/0123abc/pipeline.json").exists());
}
