//! Unpacks the archive of a source tree, holds it against the tree's hash and puts it in place in one step.
//!
//! An archive's own bytes change when GitHub changes its compressor; the tree in it does not.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::Archive;
use tempfile::TempDir;
use trellis_closure::hash_path;

use crate::error::FetchError;

/// DINOv2's tree has 5 MB; a compressed bomb has more than this.
const MAX_BYTES: u64 = 256 << 20;

/// Whether a folder is the tree with this hash.
pub(crate) fn is_tree(folder: &Path, nar_hash: &str) -> bool {
    folder.is_dir() && hash_path(folder).is_ok_and(|(found, _)| found.to_sri_string() == nar_hash)
}

/// Unpacks `archive` to `target`. What was at `target` is kept beside it, under `.before-fetch`.
pub(crate) fn unpack(archive: &Path, target: &Path, nar_hash: &str) -> Result<(), FetchError> {
    let failed = |source| FetchError::Archive { source };
    let folder = target.parent().unwrap_or(Path::new("."));
    let temporary = TempDir::new_in(folder).map_err(failed)?;
    let top = unpack_into(archive, temporary.path()).map_err(failed)?;
    let (found, _) = hash_path(&top).map_err(|error| failed(io::Error::other(error)))?;
    let found = found.to_sri_string();
    if found != nar_hash {
        return Err(FetchError::WrongDigest {
            file: "dinov2 (code)".to_owned(),
            found,
            expected: nar_hash.to_owned(),
        });
    }
    replace(&top, target).map_err(failed)
}

/// Unpacks and returns the one folder at the top. The crate `tar` refuses what leads out of the folder.
fn unpack_into(archive: &Path, folder: &Path) -> io::Result<PathBuf> {
    let bytes = GzDecoder::new(File::open(archive)?).take(MAX_BYTES);
    Archive::new(bytes).unpack(folder)?;
    let mut entries = fs::read_dir(folder)?;
    match (entries.next(), entries.next()) {
        (Some(top), None) => Ok(top?.path()),
        _ => Err(io::Error::other("it does not hold exactly one folder")),
    }
}

fn replace(new: &Path, target: &Path) -> io::Result<()> {
    if target.exists() {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let kept = target.with_file_name(format!("{name}.before-fetch"));
        if kept.exists() {
            fs::remove_dir_all(&kept)?;
        }
        fs::rename(target, kept)?;
    }
    fs::rename(new, target)
}
