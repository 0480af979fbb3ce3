//! Free space: asked before a download, and the meaning of a write that found none.

use std::io;
use std::path::Path;

use crate::error::FetchError;

/// Refuses a download that can't fit. A file system that does not say how much is free is believed to have room.
pub(crate) fn check(folder: &Path, needed: u64) -> Result<(), FetchError> {
    match available(folder) {
        Some(available) if available < needed => Err(FetchError::DiskFull {
            path: folder.to_owned(),
            needed,
            available,
        }),
        _ => Ok(()),
    }
}

/// What a failed write of `bytes` means.
pub(crate) fn write_error(path: &Path, bytes: u64, source: io::Error) -> FetchError {
    let full = matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    if full {
        let folder = path.parent().unwrap_or(path);
        FetchError::DiskFull {
            path: folder.to_owned(),
            needed: bytes,
            available: available(folder).unwrap_or(0),
        }
    } else {
        FetchError::Write {
            path: path.to_owned(),
            source,
        }
    }
}

/// Bytes that this user may still write; the folder itself need not exist yet.
fn available(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|path| path.is_dir())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use trellis_core::Explain as _;

    use super::*;

    #[test]
    fn more_than_any_disk_holds_is_refused_with_both_numbers() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(&folder.path().join("not/yet/there"), 1).is_ok());
        let error = check(folder.path(), u64::MAX).unwrap_err();
        let FetchError::DiskFull {
            needed, available, ..
        } = error
        else {
            panic!("{error}")
        };
        assert!(needed == u64::MAX && available > 0);
    }

    #[test]
    fn a_write_that_finds_no_space_is_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let error = write_error(&path, 9, io::ErrorKind::StorageFull.into());
        assert_eq!(error.kind(), "disk_full");
        assert_eq!(
            write_error(&path, 9, io::ErrorKind::PermissionDenied.into()).kind(),
            "write"
        );
    }
}
