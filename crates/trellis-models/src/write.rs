//! Writes files so that a reader sees the old or the new one, never half.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes `bytes` to `path` by way of a temporary file in the same folder, flushed to disk before the rename.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path)?;
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    finish(file, path)
}

/// Copies a file, links followed, in the same way.
pub(crate) fn copy_atomically(from: &Path, to: &Path) -> io::Result<()> {
    let folder = parent(to)?;
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    io::copy(&mut File::open(from)?, file.as_file_mut())?;
    finish(file, to)
}

/// Gives a temporary file its place.
pub(crate) fn finish(file: NamedTempFile, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // A temporary file is private by default; a model is read by the service's user too.
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(to).map_err(|error| error.error)?;
    File::open(parent(to)?)?.sync_all()
}

fn parent(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(folder) => Ok(folder),
        None => Err(io::Error::other("this path has no folder")),
    }
}
