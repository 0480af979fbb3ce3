//! Reads files of an environment: regular ones, and no more of them than such a file can have.
//!
//! An environment may hold anything under the name of a file: opening a named pipe would wait for whoever writes
//! into it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The first `most` bytes of a regular file.
pub(crate) fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same as text; what is not UTF-8 is replaced.
pub(crate) fn text(path: &Path, most: u64) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&bytes(path, most)?).into_owned())
}

/// A small file, such as `pyvenv.cfg` or `torch/version.py`.
pub(crate) fn small(path: &Path) -> io::Result<String> {
    text(path, 1 << 20)
}

/// A number of things in a sentence.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    trellis_core::counted(number as u64, one, many)
}
