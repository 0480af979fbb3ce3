//! The file of API keys: read at the start and again at SIGHUP. What stands in it: `trellis_server::ApiKeys`.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tracing::{error, info, warn};
use trellis_server::{ApiKeys, KeyRing};

use crate::{Auth, NodeError};

/// The keys to start with. Keys that were asked for and cannot be read keep the server from starting:
/// otherwise it would be open.
pub(crate) fn open(auth: &Auth) -> Result<KeyRing, NodeError> {
    let path = &auth.keys_file;
    let keys = (!path.as_os_str().is_empty()).then(|| read(path)).transpose()?;
    Ok(KeyRing::new(keys))
}

/// Puts the file's present keys in force. Where it has none the old ones stay: no reload opens a server.
pub fn reload(auth: &Auth, ring: &KeyRing) {
    let path = &auth.keys_file;
    if path.as_os_str().is_empty() {
        if ring.names().is_some() {
            warn!("`auth.keys_file` is unset; the keys stay in force until a restart");
        }
        return;
    }
    match read(path) {
        Ok(keys) => {
            ring.replace(keys);
            info!(
                keys = ring.names().unwrap_or_default().join(", "),
                "reloaded the API keys"
            );
        }
        Err(problem) => error!(
            %problem,
            cause = %std::error::Error::source(&problem).map(ToString::to_string).unwrap_or_default(),
            fix = problem.advice(),
            "cannot reload the API keys; the old ones stay in force"
        ),
    }
}

fn read(path: &Path) -> Result<ApiKeys, NodeError> {
    let unreadable = |source| NodeError::KeysUnreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    // Of the opened file, not of what lies there meanwhile.
    let mode = file.metadata().map_err(unreadable)?.mode();
    if mode & 0o004 != 0 {
        warn!(file = %path.display(), "the API keys are world-readable: `chmod 600` the file");
    }
    ApiKeys::parse(&text).map_err(|source| NodeError::KeysInvalid {
        path: path.to_owned(),
        source,
    })
}
