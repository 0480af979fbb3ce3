//! Repairs by copy, by download and, on request, by the substitute flow model; and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::sample;
use trellis_core::Explain as _;
use trellis_models::repair::{Marker, Options, Plan, Remedy, RepairError, apply, plan, undo};
use trellis_models::{Located, lock};

use crate::kit::{HASHING, Machine, lines, located};

/// Every file with its bytes, links followed.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let inner = contents(&path);
            all.extend(
                inner
                    .into_iter()
                    .map(|(key, bytes)| (format!("{name}/{key}"), bytes)),
            );
        } else {
            all.insert(name, fs::read(&path).unwrap());
        }
    }
    all
}

fn planned(machine: &Machine, folder: &Path, options: &Options) -> Plan {
    plan(&located(folder), options, &machine.places).unwrap()
}

#[test]
fn a_missing_checkpoint_comes_from_a_cached_snapshot_and_goes_again() {
    let machine = Machine::with_extras();
    let folder = machine.model_of_the_notes();
    let before = contents(&folder);
    machine.snapshot("microsoft/TRELLIS-image-large", "0123456789abcdef");
    let plan = planned(&machine, &folder, &Options::default());
    assert!(
        matches!(&plan.remedies[..], [Remedy::Copy { source, .. }] if source.whose.contains("0123456789abcdef"))
    );
    assert_eq!(contents(&folder), before, "a plan changes nothing");
    apply(&plan).unwrap();
    assert_eq!(
        lines(&machine.check(&folder).problems, machine.root.path()),
        [""; 0]
    );
    assert_eq!(Marker::read(&folder).unwrap().refusal(), None);
    undo(&folder, false).unwrap();
    assert_eq!(contents(&folder), before);
}

#[test]
fn a_folder_named_with_from_comes_before_the_cache() {
    let machine = Machine::with_extras();
    let folder = machine.model_of_the_notes();
    machine.snapshot("org/name", "0123456789abcdef");
    let other = machine.path("other");
    sample::write_model(&other).unwrap();
    let options = Options {
        from: vec![other.clone()],
        ..Options::default()
    };
    let plan = planned(&machine, &folder, &options);
    assert!(
        matches!(&plan.remedies[..], [Remedy::Copy { source, .. }] if source.weights.starts_with(&other))
    );
}

#[test]
fn an_unsound_copy_is_passed_over() {
    let machine = Machine::with_extras();
    let folder = machine.model_of_the_notes();
    let other = machine.path("other");
    sample::write_model(&other).unwrap();
    let weights = other.join(format!("ckpts/{}.safetensors", sample::MISSING_IN_NOTES));
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() - 1]).unwrap();
    let options = Options {
        from: vec![other],
        ..Options::default()
    };
    let plan = planned(&machine, &folder, &options);
    assert_eq!(plan.unsolved.len(), 1);
    assert_eq!(
        plan.unsolved[0].name,
        format!("ckpts/{}", sample::MISSING_IN_NOTES)
    );
    assert!(plan.remedies.is_empty());
}

#[test]
fn a_copy_must_be_the_file_that_the_lock_names() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let path = lock::lock_path(&located(&folder), &machine.places);
    lock::make(&folder, &machine.places, HASHING)
        .unwrap()
        .write(&path)
        .unwrap();
    let name = format!("ckpts/{}.safetensors", sample::MISSING_IN_NOTES);
    let mut bytes = fs::read(folder.join(&name)).unwrap();
    fs::remove_file(folder.join(&name)).unwrap();
    let other = machine.path("other");
    sample::write_model(&other).unwrap();
    let options = Options {
        from: vec![other.clone()],
        ..Options::default()
    };
    assert_eq!(planned(&machine, &folder, &options).remedies.len(), 1);
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(other.join(&name), bytes).unwrap();
    assert_eq!(planned(&machine, &folder, &options).unsolved.len(), 1);
}

#[test]
fn a_damaged_checkpoint_is_replaced_and_kept_beside() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let weights = folder.join("ckpts/ss_dec_conv3d_16l8_fp16.safetensors");
    fs::write(&weights, "<html>").unwrap();
    let before = contents(&folder);
    machine.snapshot("org/name", "0123456789abcdef");
    apply(&planned(&machine, &folder, &Options::default())).unwrap();
    assert!(machine.check(&folder).passed());
    let kept = folder.join("ckpts/ss_dec_conv3d_16l8_fp16.safetensors.before-repair");
    assert_eq!(fs::read(kept).unwrap(), b"<html>");
    undo(&folder, false).unwrap();
    assert_eq!(contents(&folder), before);
}

#[test]
fn a_download_is_planned_when_nothing_is_here_and_then_counts_as_a_copy() {
    let machine = Machine::with_extras();
    let folder = machine.model_of_the_notes();
    let options = Options {
        repo: Some("microsoft/TRELLIS-image-large".to_owned()),
        substitute_flow_model: true,
        ..Options::default()
    };
    let plan = planned(&machine, &folder, &options);
    assert!(matches!(&plan.remedies[..], [Remedy::Fetch { .. }]), "{plan:?}");
    let fetched = machine.path("fetched");
    sample::write_model(&fetched).unwrap();
    apply(&plan.with_fetched(&fetched)).unwrap();
    assert!(machine.check(&folder).passed());
}

#[test]
fn the_substitution_of_the_notes_is_made_only_on_request_and_marks_the_folder() {
    let machine = Machine::with_extras();
    let folder = machine.model_of_the_notes();
    let before = contents(&folder);
    let plan = planned(&machine, &folder, &Options::default());
    assert_eq!((plan.remedies.len(), plan.unsolved.len()), (0, 1));

    let options = Options {
        substitute_flow_model: true,
        ..Options::default()
    };
    let plan = planned(&machine, &folder, &options);
    insta::assert_snapshot!(plan.diff);
    apply(&plan).unwrap();
    assert_eq!(
        fs::read(folder.join("pipeline.json.before-repair")).unwrap(),
        before["pipeline.json"]
    );
    insta::assert_debug_snapshot!(lines(&machine.check(&folder).problems, machine.root.path()));
    assert!(
        Marker::read(&folder)
            .unwrap()
            .refusal()
            .unwrap()
            .contains("sampling the structured latent fails")
    );
    undo(&folder, true).unwrap();
    assert!(
        folder.join("trellis-repair.json").exists(),
        "a dry run undoes nothing"
    );
    undo(&folder, false).unwrap();
    assert_eq!(contents(&folder), before);
}

#[test]
fn a_hub_cache_is_never_edited_in_place_but_linked_into_a_new_folder() {
    let machine = Machine::with_extras();
    let whole = machine.snapshot("org/whole", "ffffffff");
    let snapshot = machine.snapshot("microsoft/TRELLIS-image-large", "0123456789abcdef");
    for ending in ["json", "safetensors"] {
        let name = format!("ckpts/{}.{ending}", sample::MISSING_IN_NOTES);
        fs::remove_file(snapshot.join(name)).unwrap();
    }
    let before = contents(&machine.places.hub_cache);
    let linked = machine.path("link");
    std::os::unix::fs::symlink(&snapshot, &linked).unwrap();
    for folder in [&snapshot, &linked] {
        let named = Located {
            folder: folder.clone(),
            snapshot: None,
        };
        let error = plan(&named, &Options::default(), &machine.places).unwrap_err();
        assert!(matches!(error, RepairError::InsideCache { .. }), "{error}");
    }
    let to = machine.path("repaired");
    let options = Options {
        to: Some(to.clone()),
        ..Options::default()
    };
    apply(&planned(&machine, &snapshot, &options)).unwrap();
    assert_eq!(lines(&machine.check(&to).problems, machine.root.path()), [""; 0]);
    assert_eq!(contents(&machine.places.hub_cache), before);
    assert!(machine.check(&whole).passed());
    let inside = Options {
        to: Some(snapshot.join("repaired")),
        ..Options::default()
    };
    assert!(plan(&located(&snapshot), &inside, &machine.places).is_err());
    let again = plan(&located(&snapshot), &options, &machine.places).unwrap_err();
    assert_eq!(again.kind(), "target_not_empty");
}

#[test]
fn undo_refuses_what_was_changed_since_and_touches_nothing() {
    let machine = Machine::with_extras();
    let folder = machine.model_of_the_notes();
    assert_eq!(undo(&folder, false).unwrap_err().kind(), "nothing_to_undo");
    let options = Options {
        substitute_flow_model: true,
        ..Options::default()
    };
    apply(&planned(&machine, &folder, &options)).unwrap();
    fs::write(folder.join("pipeline.json"), "{}").unwrap();
    let before = contents(&folder);
    assert_eq!(undo(&folder, false).unwrap_err().kind(), "changed_since");
    assert_eq!(contents(&folder), before);
}

#[test]
fn undo_refuses_a_record_that_leads_out_of_the_folder() {
    let machine = Machine::new();
    let folder = machine.model();
    let victim = machine.path("victim");
    fs::write(&victim, "x").unwrap();
    let record =
        r#"{"as_in_notes":null,"changes":[{"path":"../victim","kept_as":null,"size":1,"source":""}]}"#;
    fs::write(folder.join("trellis-repair.json"), record).unwrap();
    assert!(undo(&folder, false).is_err());
    assert!(victim.exists());
}

#[test]
fn a_record_that_cannot_be_read_is_no_permission_to_serve() {
    let machine = Machine::new();
    let folder = machine.model();
    fs::write(folder.join("trellis-repair.json"), "{").unwrap();
    assert!(Marker::read(&folder).unwrap().refusal().is_some());
}

#[test]
fn the_notes_edit_made_by_hand_is_not_called_sound() {
    let machine = Machine::with_extras();
    let folder = machine.model_of_the_notes();
    let text = fs::read_to_string(folder.join("pipeline.json")).unwrap();
    let edited = text.replace(sample::MISSING_IN_NOTES, "ss_flow_img_dit_L_16l8_fp16");
    fs::write(folder.join("pipeline.json"), edited).unwrap();
    let options = Options {
        repo: Some("org/name".to_owned()),
        ..Options::default()
    };
    let plan = planned(&machine, &folder, &options);
    assert!(plan.remedies.is_empty(), "no copy of the wrong model helps");
    assert!(
        plan.unsolved[0]
            .reason
            .contains("cannot be the `slat_flow_model`")
    );
}
