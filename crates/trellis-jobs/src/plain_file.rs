//! Opens a blob's file, and nothing that merely stands in its place.
//!
//! A symbolic link would hand out a file from elsewhere, and a pipe would keep its reader waiting: both are refused, and
//! so is a link in the place of a folder on the way. Not checked: the blob folder itself, which may be a link to another
//! disk.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open as open_path, openat};
use rustix::io::Errno;

/// Opens `key`, a relative path with `/`, below `root` for reading.
pub(crate) fn open(root: &Path, key: &str) -> io::Result<File> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = open_path(root, folder, Mode::empty())?;
    let mut parts = key.split('/').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_some() {
            at = openat(&at, part, folder | OFlags::NOFOLLOW, Mode::empty()).map_err(refused)?;
            continue;
        }
        // A pipe without a writer is opened at once this way; a file does not care.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&at, part, flags, Mode::empty()).map_err(refused)?);
        if !file.metadata()?.is_file() {
            return Err(foreign());
        }
        return Ok(file);
    }
    Err(io::ErrorKind::InvalidFilename.into())
}

fn refused(error: Errno) -> io::Error {
    match error {
        // A link, a link in the place of a folder, a socket.
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO => foreign(),
        error => error.into(),
    }
}

fn foreign() -> io::Error {
    io::Error::other("something else is in place of the file, such as a symbolic link or a pipe")
}
