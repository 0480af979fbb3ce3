//! Figures in docs/ are those of the pins.

use trellis_core::Sha256;
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

/// Rounded up to tenths of a gigabyte, without floating point.
fn gigabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000_000);
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

#[test]
fn the_sizes_are_current() {
    let pins = Pins::embedded();
    // TRELLIS.2's own come with its environment alone.
    let own = |name: &str| name != "trellis2";
    let overlaid = pins.wheels.iter();
    let overlaid = overlaid.filter(|(_, wheel)| wheel.overlay.as_deref().is_some_and(own));
    let number = overlaid.clone().count();
    let wheels: u64 = overlaid.clone().map(|(_, wheel)| wheel.size).sum();
    let unpacked: u64 = overlaid
        .map(|(name, wheel)| {
            wheel
                .unpacked
                .unwrap_or_else(|| panic!("{name}: no size unpacked"))
        })
        .sum();
    let models = &pins.models;
    let model: u64 = models.folders["trellis-image-large"]
        .files
        .iter()
        .map(|file| file.size)
        .sum();
    let second = &models.folders["trellis2-4b"];
    let second: u64 = second.files.iter().map(|file| file.size).sum();
    let all_models = model + models.dinov2.size + models.u2net.size;
    let row = |what: &str, download: u64, disk: u64| {
        format!("| {what} | {} | {} |", gigabytes(download), gigabytes(disk))
    };
    let page = read("docs/nix.md");
    for row in [
        row(&format!("pinned wheels ({number})"), wheels, unpacked),
        row("TRELLIS-image-large", model, model),
        row("DINOv2's weights", models.dinov2.size, models.dinov2.size),
        row("u2net", models.u2net.size, models.u2net.size),
        row("TRELLIS.2-4B, if it is run", second, second),
        row("in all", wheels + all_models, unpacked + all_models),
    ] {
        assert!(page.contains(&row), "docs/nix.md should say: {row}");
    }
    let readme = read("README.md");
    for figure in [
        format!("{} to download", gigabytes(wheels + all_models)),
        format!("{} on disk", gigabytes(unpacked + all_models)),
    ] {
        assert!(readme.contains(&figure), "README.md should say: {figure}");
    }
}

#[test]
fn the_table_of_cards_is_current() {
    let page = read("docs/nix.md");
    let cuda = &Pins::embedded().cuda;
    for (name, package) in &cuda.packages {
        let row = format!(
            "| `{name}` | {} | {} |",
            package.cards,
            package.capabilities.join(", ")
        );
        assert!(page.contains(&row), "docs/nix.md should say: {row}");
    }
    assert_eq!(
        cuda.packages["server"].capabilities, cuda.capabilities,
        "the default package"
    );
    assert_eq!(cuda.package_for("8.6"), Some("server-ampere"));
    assert_eq!(cuda.package_for("7.5"), None);
}

#[test]
fn the_table_of_pinned_weights_is_current() {
    let models = &Pins::embedded().models;
    let row = |path: &str, size: u64, sources: u32, sha256: Sha256| {
        let sources = match sources {
            0 => "0, put together".to_owned(),
            number => number.to_string(),
        };
        format!("| `{path}` | {size} | {sources} | `{sha256:.12}…` |")
    };
    let rows = |model: &str| -> Vec<String> {
        let files = models.folders[model].files.iter();
        files
            .map(|file| row(&file.path, file.size, file.sources, file.sha256))
            .collect()
    };
    let mut expected = rows("trellis-image-large");
    for file in [&models.dinov2, &models.u2net] {
        expected.push(row(&file.file, file.size, file.sources, file.sha256));
    }
    let page = read("docs/models.md");
    assert!(
        page.contains(&expected.join("\n")),
        "docs/models.md should have these rows:\n{}",
        expected.join("\n")
    );
    let page = read("docs/trellis2.md");
    let second = rows("trellis2-4b").join("\n");
    assert!(
        page.contains(&second),
        "docs/trellis2.md should have these rows:\n{second}"
    );
}
