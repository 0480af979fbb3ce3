//! The record of FlexGEMM's tuning: which tiles it found fastest for each shape that it met. It adds up in the order of its
//! tiles, so that TRELLIS.2 samples the same numbers only with the same record.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tracing::warn;
use trellis_core::Sha256;

use crate::environment::own;

/// Where FlexGEMM looks for the record's place.
pub(crate) const VARIABLE: &str = "FLEX_GEMM_AUTOTUNE_CACHE_PATH";

/// Where the record is: where the server's environment says, else in a folder that lasts. FlexGEMM writes it during jobs,
/// which fail where it cannot: such a place is not taken, and the log says so.
pub(crate) fn place(state: &Path) -> PathBuf {
    let usual = state.join("flex-gemm.json");
    let Some(named) = own(VARIABLE).map(PathBuf::from) else {
        return usual;
    };
    match may_write_beside(&named) {
        Ok(()) => named,
        Err(error) => {
            warn!(variable = VARIABLE, named = %named.display(), taken = %usual.display(), %error,
                "the record of FlexGEMM's tuning cannot be written there: name a file in a folder that may be written, \
                 or copy it to where it is kept instead");
            usual
        }
    }
}

/// FlexGEMM locks, writes and renames files beside the record.
fn may_write_beside(place: &Path) -> io::Result<()> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    access(
        folder.unwrap_or(Path::new(".")),
        Access::WRITE_OK | Access::EXEC_OK,
    )?;
    Ok(())
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
    fn a_folder_that_is_not_there_is_no_place_for_it() {
        let folder = tempfile::tempdir().unwrap();
        may_write_beside(&folder.path().join("record.json")).unwrap();
        may_write_beside(Path::new("record.json")).unwrap();
        may_write_beside(&folder.path().join("absent/record.json")).unwrap_err();
    }

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
