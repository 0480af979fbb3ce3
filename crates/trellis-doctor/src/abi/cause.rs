//! Why symbols are missing: what the extension was built against.

use serde_json::Value;

use super::{BuiltFor, MissingSymbol};
use crate::packages::Packages;

/// A symbol that tells which version of a package defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telltale {
    /// Mangled.
    pub symbol: String,
    /// The package that defines it, such as `torch`.
    pub provider: String,
    /// The versions that do, for people: `2.9.1`, `up to 2.8.0`.
    pub versions: String,
}

/// Namespaces that only torch defines, mangled.
const TORCH_NAMESPACES: [&str; 4] = ["N3c10", "NK3c10", "N2at", "N5torch"];

/// The cause, by the extension's own record, or else by a telltale among the symbols.
pub(super) fn find(
    library: &str,
    symbols: &[MissingSymbol],
    packages: &Packages,
    telltales: &[Telltale],
) -> Option<BuiltFor> {
    let package = library.split('/').next().unwrap_or(library).to_owned();
    let torch = symbols.iter().any(|symbol| {
        let behind = symbol.mangled.trim_start_matches("_ZT").trim_start_matches("_Z");
        TORCH_NAMESPACES.iter().any(|namespace| behind.contains(namespace))
    });
    let recorded = recorded_torch(&package, packages).filter(|_| torch);
    if let Some(built) = recorded {
        return Some(BuiltFor {
            package,
            provider: "torch".to_owned(),
            built,
            here: packages.torch(),
        });
    }
    let known = telltales.iter().find(|known| symbols.iter().any(|symbol| symbol.mangled == known.symbol))?;
    Some(BuiltFor {
        package,
        provider: known.provider.clone(),
        built: known.versions.clone(),
        here: packages.torch().filter(|_| known.provider == "torch"),
    })
}

/// The torch that a package says it was built with (`cpp_lib.json`, written by xformers).
pub(crate) fn recorded_torch(package: &str, packages: &Packages) -> Option<String> {
    let (_, text) = packages.file(&format!("{package}/cpp_lib.json"))?;
    let record: Value = serde_json::from_str(&text).ok()?;
    record["version"]["torch"].as_str().map(str::to_owned)
}
