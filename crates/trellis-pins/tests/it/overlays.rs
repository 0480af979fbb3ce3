//! Every pin is brought by the overlay it names, and every overlay exists.

use trellis_pins::Pins;

use crate::kit::{nix_files, read};

#[test]
fn every_overlay_that_a_wheel_names_exists() {
    for (name, wheel) in &Pins::embedded().wheels {
        if let Some(overlay) = &wheel.overlay {
            assert!(
                read("overlays/default.nix").contains(&format!("{overlay} = ./{overlay}.nix;")),
                "{name}"
            );
            assert!(
                read(&format!("overlays/{overlay}.nix")).contains("trellisPins.wheels"),
                "{name}"
            );
        }
    }
}

#[test]
fn every_wheel_with_gpu_code_comes_from_an_overlay() {
    for (name, wheel) in &Pins::embedded().wheels {
        assert!(wheel.machine_code.is_empty() || wheel.overlay.is_some(), "{name}");
    }
}

#[test]
fn every_source_is_used_by_an_overlay() {
    let overlays: String = nix_files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("overlays/"))
        .map(|(_, text)| text)
        .collect();
    let words: Vec<&str> = overlays
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .collect();
    for name in Pins::embedded().sources.keys() {
        assert!(words.contains(&name.as_str()), "{name}");
    }
}
