//! Reads small text files with a bound, so that no file can fill the memory.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::stand_in::StandIn;

/// TRELLIS's configurations are below 4 KiB and a lock of a whole repository below 10.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// Why a small file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum ReadError {
    #[error("cannot read `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` is larger than {MAX_BYTES} bytes, more than any file of its kind", path.display())]
    TooLarge { path: PathBuf },
    #[error("`{}` {found}", path.display())]
    StandIn { path: PathBuf, found: StandIn },
    #[error("cannot parse `{}`", path.display())]
    Malformed {
        path: PathBuf,
        source: serde_json::Error,
    },
}

impl ReadError {
    /// Whether the file is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a file of at most `MAX_BYTES`.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, ReadError> {
    let read = || {
        // Opening a pipe would wait for whoever writes into it.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let path = path.to_owned();
    match read() {
        Ok(bytes) if bytes.len() as u64 > MAX_BYTES => Err(ReadError::TooLarge { path }),
        Ok(bytes) => Ok(bytes),
        Err(source) => Err(ReadError::Io { path, source }),
    }
}

/// JSON that is no object: every file that is read here is one.
fn other_json(text: &[u8]) -> Option<StandIn> {
    let is_object = text.trim_ascii_start().first() == Some(&b'{');
    let parses = || serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    (!is_object && parses()).then_some(StandIn::NotAnObject)
}

/// Reads a JSON file of at most `MAX_BYTES`; what lies there instead is named.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    let text = read_small(path)?;
    let path = path.to_owned();
    if let Some(found) = StandIn::of(&text).or_else(|| other_json(&text)) {
        return Err(ReadError::StandIn { path, found });
    }
    serde_json::from_slice(&text).map_err(|source| ReadError::Malformed { path, source })
}
