//! Puts a finished file in its place: under a temporary name beside it, flushed to disk, then renamed, so
//! that the name never shows half a file.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::Serialize;
use tempfile::Builder;
use trellis_backend::Content;
use trellis_core::Sha256;

use crate::error::CliError;
use crate::exit::Exit;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Written {
    pub(crate) size_bytes: u64,
    /// SHA-256 of the bytes, lower-case hexadecimal digits.
    pub(crate) sha256: Sha256,
    /// Whether a file of that name was there before.
    pub(crate) replaced: bool,
}

/// Writes `content` to `path`; folders on the way are made.
pub(crate) fn write(content: &Content, path: &Path) -> io::Result<Written> {
    // `chair.glb` has the empty parent.
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // What the umask leaves of read and write for all, as any new file has it.
    let mut builder = Builder::new();
    builder
        .prefix(".trellis-")
        .suffix(".part")
        .permissions(Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    match content {
        // To the file itself: the temporary name is nothing to tell people.
        Content::Bytes(bytes) => file.as_file_mut().write_all(bytes)?,
        Content::File(source) => drop(io::copy(&mut File::open(source)?, file.as_file_mut())?),
    }
    file.as_file().sync_all()?;
    let (size_bytes, sha256) = Sha256::of_reader(file.reopen()?)?;
    let replaced = path.symlink_metadata().is_ok();
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(Written {
        size_bytes,
        sha256,
        replaced,
    })
}

/// A result that cannot be written.
pub(crate) fn unwritable(path: &Path, error: &io::Error) -> CliError {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free disk space, or write elsewhere with `-o`"
        }
        _ => "check the folder's permissions, or write elsewhere with `-o`",
    };
    let message = format!("cannot write `{}`: {error}", path.display());
    CliError::new("unwritable", Exit::Failed, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/chair.glb");
        let first = write(&Content::Bytes("one".into()), &path).unwrap();
        let source = folder.path().join("source");
        std::fs::write(&source, "three").unwrap();
        let second = write(&Content::File(source), &path).unwrap();
        assert!(!first.replaced && second.replaced);
        assert_eq!(second.size_bytes, 5);
        assert_eq!(second.sha256, Sha256::of("three"));
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chair.glb");
        write(&Content::Bytes("one".into()), &path).unwrap();
        write(&Content::File(folder.path().join("missing")), &path).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
