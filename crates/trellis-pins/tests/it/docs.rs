//! Figures in docs/ are those of the pins.

use trellis_pins::{Pins, Wheel};

use crate::kit::read;

/// "12.0" for 120.
fn dotted(capability: u16) -> String {
    format!("{}.{}", capability / 10, capability % 10)
}

/// How the GPU code of a wheel gets onto a 12.0 card, library by library, as a table row says it.
fn rows(name: &str, wheel: &Wheel) -> Vec<String> {
    wheel
        .machine_code
        .iter()
        .map(|(library, code)| {
            let newest_ptx = code.ptx.iter().filter(|ptx| **ptx <= 120).max();
            let way = match newest_ptx {
                _ if code.sass.contains(&120) => "native".to_owned(),
                Some(ptx) => format!("PTX of {}, compiled by the driver", dotted(*ptx)),
                None => "nothing for 12.0".to_owned(),
            };
            format!("| {name} {} | `{library}` | {way} |", wheel.version)
        })
        .collect()
}

#[test]
fn the_table_of_machine_code_is_current() {
    let page = read("docs/blackwell.md");
    let expected: Vec<String> = Pins::embedded()
        .wheels
        .iter()
        .flat_map(|(name, wheel)| rows(name, wheel))
        .collect();
    assert!(
        page.contains(&expected.join("\n")),
        "docs/blackwell.md should have these rows:\n{}",
        expected.join("\n")
    );
}

#[test]
fn the_download_sizes_are_current() {
    let pins = Pins::embedded();
    // Rounded up to tenths of a gigabyte, without floating point.
    let gigabytes = |bytes: u64| {
        let tenths = bytes.div_ceil(100_000_000);
        format!("{}.{} GB", tenths / 10, tenths % 10)
    };
    let overlaid = pins.wheels.values().filter(|wheel| wheel.overlay.is_some());
    let wheels: u64 = overlaid.clone().map(|wheel| wheel.size).sum();
    let model: u64 = pins
        .models
        .trellis_image_large
        .files
        .iter()
        .map(|file| file.size)
        .sum();
    let expected = [
        format!("| pinned wheels ({}) | {} |", overlaid.count(), gigabytes(wheels)),
        format!("| TRELLIS-image-large | {} |", gigabytes(model)),
        format!("| DINOv2's weights | {} |", gigabytes(pins.models.dinov2.size)),
        format!("| u2net | {} |", gigabytes(pins.models.u2net.size)),
    ];
    let page = read("docs/nix.md");
    for row in expected {
        assert!(page.contains(&row), "docs/nix.md should say: {row}");
    }
}

#[test]
fn the_table_of_pinned_weights_is_current() {
    let models = &Pins::embedded().models;
    let row = |path: &str, size: u64, sources: u32, sha256: &str| {
        let sources = match sources {
            0 => "0, put together".to_owned(),
            number => number.to_string(),
        };
        format!("| `{path}` | {size} | {sources} | `{}…` |", &sha256[..12])
    };
    let files = models.trellis_image_large.files.iter();
    let mut expected: Vec<String> = files
        .map(|file| row(&file.path, file.size, file.sources, &file.sha256))
        .collect();
    for file in [&models.dinov2, &models.u2net] {
        expected.push(row(&file.file, file.size, file.sources, &file.sha256));
    }
    let page = read("docs/models.md");
    assert!(
        page.contains(&expected.join("\n")),
        "docs/models.md should have these rows:\n{}",
        expected.join("\n")
    );
}
