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
fn every_source_is_used() {
    let text: String = nix_files().into_iter().map(|(_, text)| text).collect();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.')
        .collect();
    for (name, source) in &Pins::embedded().sources {
        let used = [
            name.clone(),
            format!("trellisSources.{name}"),
            format!("trellisPins.sources.{name}.version"),
        ];
        assert!(used.iter().any(|word| words.contains(&word.as_str())), "{name}");
        assert!(words.contains(&source.input.as_str()), "{}", source.input);
    }
}
