//! Opens a file that somebody else left in a folder: never a link, a pipe or a device, and never for longer than the
//! disk takes.
//!
//! A worker may crash in the middle, or be anybody's code. Opening a pipe would wait for a writer that never comes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use tracing::error;
use trellis_core::{Failure, FailureKind, file_size, plain_line};

/// The largest file that is taken, 2 GiB: the finest of TRELLIS's has some hundred megabytes.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// Opens the file at `path`, which must be a plain file inside `folder`; with its size in bytes. Blocks as long as the
/// disk does, so not on a thread that others wait for.
pub fn open_left(folder: &Path, path: &Path) -> Result<(File, u64), Failure> {
    let name = path.file_name().unwrap_or_default();
    let shown = plain_line(&name.to_string_lossy(), 100);
    let unreadable = |cause: io::Error| {
        error!(%cause, "a file from the backend cannot be read");
        internal(format!("the backend's file `{shown}` cannot be read"))
    };
    let parent = path
        .parent()
        .unwrap_or(folder)
        .canonicalize()
        .map_err(unreadable)?;
    if !parent.starts_with(folder.canonicalize().map_err(unreadable)?) {
        return Err(internal("the backend named a file outside its folder"));
    }
    let path = parent.join(name);
    let what = what_it_is(&path).map_err(unreadable)?;
    let not_a_file = |what| internal(format!("the backend left {what} in place of the file `{shown}`"));
    if let Some(what) = what {
        return Err(not_a_file(what));
    }
    // It may have become something else since.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(&path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(not_a_file("something else"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        let (size, most) = (file_size(metadata.len()), file_size(MAX_FILE_BYTES));
        return Err(internal(format!(
            "the backend's file `{shown}` is {size}; the limit is {most}"
        )));
    }
    Ok((file, metadata.len()))
}

/// What is there instead of a file.
fn what_it_is(path: &Path) -> io::Result<Option<&'static str>> {
    let kind = path.symlink_metadata()?.file_type();
    Ok(if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a link")
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    })
}

fn internal(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Internal, message)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn refused(folder: &Path, name: &str) -> String {
        open_left(folder, &folder.join(name)).unwrap_err().message
    }

    #[test]
    fn only_a_plain_file_in_the_folder_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("plain"), "abc").unwrap();
        assert_eq!(open_left(folder, &folder.join("plain")).unwrap().1, 3);

        mknodat(
            CWD,
            folder.join("pipe"),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        std::os::unix::fs::symlink("plain", folder.join("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.join("endless")).unwrap();
        std::fs::create_dir(folder.join("folder")).unwrap();
        let sparse = File::create(folder.join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        for (name, what) in [
            ("pipe", "left a pipe in place of"),
            ("link", "left a link in place of"),
            ("endless", "left a link in place of"),
            ("folder", "left a folder in place of"),
            ("sparse", "is 1099.5 GB; the limit is 2.1 GB"),
            ("missing", "cannot be read"),
            ("../etc", "outside its folder"),
        ] {
            let message = refused(folder, name);
            assert!(message.contains(what), "{name}: {message}");
        }
        assert!(open_left(folder, Path::new("/dev/zero")).is_err());
    }
}
