//! Why symbols are missing: what the extension was built against.

use serde_json::Value;
use trellis_pins::Pins;

use super::problem::{BuiltFor, MissingSymbol};
use crate::packages::Packages;

/// A symbol that tells which torch defines it.
struct Telltale<'pins> {
    symbols: &'pins [String],
    torch: &'pins str,
}

/// What the pins tell of symbols.
fn telltales(pins: &Pins) -> [Telltale<'_>; 2] {
    let pinned = pins
        .wheels
        .get("torch")
        .map_or(pins.torch.reports.as_str(), |wheel| wheel.version.as_str());
    [
        Telltale {
            symbols: &pins.abi.xformers.needs_from_torch,
            torch: pinned,
        },
        Telltale {
            symbols: &pins.abi.kaolin.needs_from_torch,
            torch: &pins.abi.kaolin.last_in_torch,
        },
    ]
}

/// Namespaces that only torch defines, mangled.
const TORCH_NAMESPACES: [&str; 4] = ["N3c10", "NK3c10", "N2at", "N5torch"];

/// The cause, by the extension's own record, or else by a telltale among the symbols.
pub(super) fn find(
    library: &str,
    symbols: &[MissingSymbol],
    packages: &Packages,
    pins: &Pins,
) -> Option<BuiltFor> {
    let package = library.split('/').next().unwrap_or(library).to_owned();
    let torch = symbols.iter().any(|symbol| {
        let behind = symbol.mangled.trim_start_matches("_ZT").trim_start_matches("_Z");
        TORCH_NAMESPACES
            .iter()
            .any(|namespace| behind.contains(namespace))
    });
    let missing = |symbol: &String| symbols.iter().any(|missing| missing.mangled == *symbol);
    let built = recorded_torch(&package, packages).filter(|_| torch).or_else(|| {
        let known = telltales(pins)
            .into_iter()
            .find(|known| known.symbols.iter().any(missing))?;
        Some(known.torch.to_owned())
    })?;
    let here = packages.torch();
    Some(BuiltFor {
        package,
        provider: "torch".to_owned(),
        built,
        here_is_pinned: here.as_ref() == Some(&pins.torch.reports),
        here,
    })
}

/// The torch that a package says it was built with (`cpp_lib.json`, written by xformers).
pub(crate) fn recorded_torch(package: &str, packages: &Packages) -> Option<String> {
    let (_, text) = packages.file(&format!("{package}/cpp_lib.json"))?;
    let record: Value = serde_json::from_str(&text).ok()?;
    record["version"]["torch"].as_str().map(str::to_owned)
}
