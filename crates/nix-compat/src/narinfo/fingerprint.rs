//! What a signature of a store path is made over.
//!
//! `1;<absolute path>;sha256:<nixbase32>;<nar size>;<absolute references, sorted, joined by ",">`

use std::collections::BTreeSet;

use crate::nixhash::NixHash;
use crate::store_path::StorePathRef;

/// The fingerprint of a path. References are sorted here, as Nix's set of them is.
pub fn fingerprint<'a, R: Iterator<Item = &'a StorePathRef<'a>>>(
    store_path: &StorePathRef,
    nar_sha256: &[u8; 32],
    nar_size: u64,
    references: R,
) -> String {
    let references: BTreeSet<&StorePathRef<'a>> = references.collect();
    let references: Vec<String> = references
        .into_iter()
        .map(StorePathRef::to_absolute_path)
        .collect();
    format!(
        "1;{};{};{nar_size};{}",
        store_path.to_absolute_path(),
        NixHash::Sha256(*nar_sha256).to_nix_nixbase32(),
        references.join(",")
    )
}
