//! The file of API keys: read at the start and again at SIGHUP, and written when a key is added. What stands in
//! it: `trellis_server::ApiKeys`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tracing::{error, info, warn};
use trellis_server::{ApiKeys, Grant, KeyRing, KeysError, NewKey};

use crate::{Auth, NodeError, SecretFileError, secret_file};

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
    let text = secret_file::read(path).map_err(|source| NodeError::KeysUnreadable {
        path: path.to_owned(),
        source,
    })?;
    ApiKeys::parse(&text).map_err(|source| NodeError::KeysInvalid {
        path: path.to_owned(),
        source,
    })
}

/// A new key of that name, of the system's randomness.
pub fn make(name: &str, grant: Grant) -> Result<NewKey, NodeError> {
    let key = NewKey::new(name, rand::random(), grant);
    key.map_err(|source| NodeError::KeyName {
        name: name.chars().take(100).collect(),
        source,
    })
}

/// Adds a key's line to the file, which is made where there is none. The file is replaced whole: a server that
/// reads it at that moment finds all of the old keys or all of the new ones.
pub fn add(path: &Path, key: &NewKey) -> Result<(), NodeError> {
    // The file itself, not a link to it.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let unwritable = |source: io::Error| NodeError::KeysUnwritable {
        path: path.clone(),
        source,
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    // Until it is dropped, so that of two keys added at the same time none is lost.
    let lock = File::open(&folder).map_err(unwritable)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| unwritable(error.into()))?;
    let mut text = match secret_file::read(path) {
        Err(SecretFileError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|source| NodeError::KeysUnreadable {
            path: path.clone(),
            source,
        })?,
    };
    let names_it = |keys: &ApiKeys| keys.names().any(|name| name == key.name());
    match ApiKeys::parse(&text) {
        Ok(keys) if names_it(&keys) => {
            return Err(NodeError::KeyExists {
                path: path.clone(),
                name: key.name().to_owned(),
            });
        }
        Ok(_) | Err(KeysError::Empty) => {}
        Err(source) => {
            return Err(NodeError::KeysInvalid {
                path: path.clone(),
                source,
            });
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&key.line());
    text.push('\n');
    replace(path, &folder, &text).map_err(unwritable)
}

/// Puts a file with that text in the place of `path`, for the same users as the old one, else for its owner alone.
fn replace(path: &Path, folder: &Path, text: &str) -> io::Result<()> {
    // It is made with mode 0600.
    let mut file = tempfile::Builder::new().prefix(".keys-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(path) {
        let new = file.as_file().metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        let mode = fs::Permissions::from_mode(old.mode() & 0o770);
        file.as_file().set_permissions(mode)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str) -> Result<NewKey, NodeError> {
        make(name, Grant::default())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn keys_are_added_one_by_one_and_each_name_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        add(&path, &new("studio").unwrap()).unwrap();
        assert_eq!(mode(&path), 0o600);
        // As an editor leaves it, and for a group.
        fs::write(&path, fs::read_to_string(&path).unwrap().trim_end()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("keys", &link).unwrap();
        add(&link, &new("client").unwrap()).unwrap();
        assert_eq!(
            read(&path).unwrap().names().collect::<Vec<_>>(),
            ["studio", "client"]
        );
        assert!(link.is_symlink());
        assert_eq!(mode(&path), 0o640);
        let before = fs::read(&path).unwrap();
        let again = add(&path, &new("studio").unwrap()).unwrap_err();
        assert_eq!((again.kind(), fs::read(&path).unwrap()), ("key_exists", before));
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing else is left"
        );
    }

    #[test]
    fn a_file_that_no_server_would_take_is_not_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for (text, mode, kind) in [
            ("hunter2\n", 0o600, "keys_invalid"),
            ("# none yet\n", 0o644, "keys_unreadable"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(add(&path, &new("studio").unwrap()).unwrap_err().kind(), kind);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(new("a b").unwrap_err().kind(), "key_name");
        let nowhere = folder.path().join("none/keys");
        assert_eq!(
            add(&nowhere, &new("a").unwrap()).unwrap_err().kind(),
            "keys_unwritable"
        );
    }
}
