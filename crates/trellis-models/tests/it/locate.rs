//! A path with a slip in it is told by the part that is not there.

use std::fs;

use trellis_core::Explain as _;
use trellis_models::locate;

use crate::kit::Machine;

fn said(machine: &Machine, asked: &str) -> (String, String) {
    let asked = asked.replace('~', &machine.root.path().display().to_string());
    let error = locate(&asked, &machine.places).unwrap_err();
    assert_eq!(error.kind(), "not_a_folder");
    let clean = |text: String| text.replace(&machine.root.path().display().to_string(), "~");
    (clean(error.to_string()), clean(error.advice().into_owned()))
}

#[test]
fn a_typo_in_a_path_names_the_part_and_what_was_meant() {
    let machine = Machine::new();
    fs::create_dir_all(machine.path("models/TRELLIS-image-large/ckpts")).unwrap();
    for asked in [
        "~/modles/TRELLIS-image-large",
        "~/models/trelis-image-large",
        "~/models/other",
    ] {
        let (sentence, advice) = said(&machine, asked);
        insta::assert_snapshot!(format!("{sentence}\n{advice}"));
    }
}

#[test]
fn a_repository_that_is_not_here_stays_one() {
    let machine = Machine::new();
    let error = locate("org/name", &machine.places).unwrap_err();
    assert_eq!(error.kind(), "not_cached");
}

#[test]
fn whoever_names_pipeline_json_means_its_folder() {
    let machine = Machine::with_extras();
    let folder = machine.model();
    let found = locate(&folder.join("pipeline.json").to_string_lossy(), &machine.places).unwrap();
    assert_eq!(found.folder, folder);
}
