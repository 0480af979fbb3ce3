//! What a recipe (`.drv`) refers to: its inputs.
//!
//! A recipe names its own outputs too, and those are no references. So where there is no database a recipe is read
//! rather than scanned.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nix_compat::derivation::Derivation;
use nix_compat::store_path::StorePath;

/// The largest recipes have some megabytes.
const MAX_BYTES: u64 = 64 << 20;

/// The inputs of the recipe in `file`, sorted; `None` if it is none, or of a kind that is not understood.
pub(crate) fn references(path: &StorePath<String>, file: &Path) -> Option<Vec<StorePath<String>>> {
    path.name().strip_suffix(".drv")?;
    if !file.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    File::open(file)
        .ok()?
        .take(MAX_BYTES)
        .read_to_end(&mut text)
        .ok()?;
    let recipe = Derivation::from_aterm_bytes(&text).ok()?;
    let inputs = recipe.input_derivations.into_keys().chain(recipe.input_sources);
    let mut references: Vec<_> = inputs.collect();
    references.sort_unstable();
    Some(references)
}
