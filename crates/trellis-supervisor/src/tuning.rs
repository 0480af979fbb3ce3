//! The record of FlexGEMM's tuning: which tiles it found fastest for each shape that it met. It adds up in the order of its
//! tiles, so that TRELLIS.2 samples the same numbers only with the same record.

use std::fs::File;
use std::path::{Path, PathBuf};

use trellis_core::Sha256;

use crate::environment::own;

/// Where FlexGEMM looks for the record's place.
pub(crate) const VARIABLE: &str = "FLEX_GEMM_AUTOTUNE_CACHE_PATH";

/// Where the record is, unless somebody has named another place in a folder that lasts.
pub(crate) fn place(state: &Path) -> PathBuf {
    own(VARIABLE).map_or_else(|| state.join("flex-gemm.json"), PathBuf::from)
}

/// The record's digest as it is now; none before anything was tuned. Reads the file, which has some kilobytes.
pub(crate) fn sha256(place: &Path) -> Option<Sha256> {
    let (_, sha256) = Sha256::of_reader(File::open(place).ok()?).ok()?;
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_its_digest_once_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("record.json");
        assert_eq!(sha256(&place), None);
        std::fs::write(&place, "{}").unwrap();
        assert_eq!(sha256(&place), Some(Sha256::of("{}")));
        std::fs::write(&place, "[]").unwrap();
        assert_eq!(sha256(&place), Some(Sha256::of("[]")));
    }
}
