//! Reads a file of secrets that the operator named: a regular file, small, and closed to other users.
//!
//! A pipe would wait for a writer and a device would never end, at the start and, worse, at a reload.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Thousands of keys fit into it.
const MAX_BYTES: u64 = 1 << 20;

/// Why a file of secrets is not read.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The system does not let us.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// A pipe, a device, a folder.
    #[error("it is not a regular file")]
    NotAFile,
    /// More than any such file has.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Every user of this machine can read it.
    #[error("every user of this machine can read it")]
    Exposed,
}

/// The text of a file that no other user may read.
pub(crate) fn read(path: &Path) -> Result<String, SecretFileError> {
    read_file(path, false)
}

/// The text of a file that belongs to a secret and is none itself.
pub(crate) fn read_public(path: &Path) -> Result<String, SecretFileError> {
    read_file(path, true)
}

fn read_file(path: &Path, public: bool) -> Result<String, SecretFileError> {
    let mut options = OpenOptions::new();
    // So that opening a pipe does not wait either; of a regular file it changes nothing.
    options
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path)?;
    // Of the opened file, not of what lies there meanwhile.
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    if !public && about.mode() & 0o004 != 0 {
        return Err(SecretFileError::Exposed);
    }
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    match read? {
        bytes if bytes as u64 > MAX_BYTES => Err(SecretFileError::TooLarge),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn with(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_file_of_ones_own_is_read_and_one_of_everybody_is_not() {
        assert_eq!(read(with("ada one\n", 0o600).path()).unwrap(), "ada one\n");
        assert_eq!(read(with("ada one\n", 0o440).path()).unwrap(), "ada one\n");
        for mode in [0o644, 0o604] {
            let refused = read(with("ada one\n", mode).path()).unwrap_err();
            assert!(matches!(refused, SecretFileError::Exposed), "{mode:o}");
            assert!(read_public(with("a certificate", mode).path()).is_ok());
        }
    }

    #[test]
    fn what_never_ends_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            let refused = read(path).unwrap_err();
            assert!(
                matches!(refused, SecretFileError::NotAFile),
                "{}: {refused:?}",
                path.display()
            );
        }
        let long = with(&"x".repeat(1 << 21), 0o600);
        assert!(matches!(
            read(long.path()).unwrap_err(),
            SecretFileError::TooLarge
        ));
    }
}
