//! What a build is told of a closure that it asked for by `exportReferencesGraph`, one record a store path.
//!
//! Not here: what `nix path-info --json` prints; that has other fields, and other ones in each version of Nix.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::narinfo::SignatureRef;
use crate::nixhash::serde::{from_nix_nixbase32_or_sri, to_nix_nixbase32};
use crate::store_path::StorePathRef;

/// One store path of a closure. Ordered by the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedPathInfo<'a> {
    /// The bytes of it and all it refers to, as NARs.
    pub closure_size: u64,
    /// SHA-256 of its NAR. Read as `sha256:<nixbase32>` and SRI, written as the former.
    #[serde(
        rename = "narHash",
        serialize_with = "to_nix_nixbase32",
        deserialize_with = "from_nix_nixbase32_or_sri"
    )]
    pub nar_sha256: [u8; 32],
    /// The bytes of its NAR.
    pub nar_size: u64,
    /// The path.
    #[serde(borrow)]
    pub path: StorePathRef<'a>,
    /// The derivation that made it, if that is known.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub deriver: Option<StorePathRef<'a>>,
    /// What it refers to, itself perhaps among it.
    #[serde(borrow)]
    pub references: BTreeSet<StorePathRef<'a>>,
    /// Who says that it is what the path's name says.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<SignatureRef<'a>>,
}

impl Ord for ExportedPathInfo<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path)
    }
}

impl PartialOrd for ExportedPathInfo<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
