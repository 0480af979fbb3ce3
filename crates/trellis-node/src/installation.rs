//! What runs here: this very program, the Python environment and the model, as results name them.
//!
//! Found out once at the start. Whatever cannot be found out is left open: a Nix database that is missing or
//! cannot be read keeps nothing from working.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use nix_compat::store_path::StorePath;
use tracing::{debug, warn};
use trellis_backend::Origin;
use trellis_closure::{Source, Store, own_store_path};
use trellis_core::{Installation, Model, Pin, ServerBuild, Sha256};
use trellis_models::lock::{LOCK_FILE, Lock};
use trellis_models::pipeline::Pipeline;
use trellis_provenance::SigningKey;

use crate::{NodeError, Settings};

/// Links on the way to a program; as many as the system itself follows.
const MOST_LINKS: usize = 40;

/// What results are said to be made by. Reads this program's file: not on a thread that others wait for.
pub async fn origin(settings: &Settings, search: Option<&OsStr>) -> Result<Origin, NodeError> {
    let signer = signer(&settings.provenance.sign_key)?;
    let (first, second) = (settings.trellis.clone(), settings.trellis2.clone());
    let search = search.map(OsStr::to_owned);
    let found = tokio::task::spawn_blocking(move || {
        let find = |model: &Path, python: &Path| find(model, python, search.as_deref());
        let locks = locks_shape_encoder(&second.model);
        let second = (!second.model.as_os_str().is_empty()).then(|| find(&second.model, &second.python));
        (find(&first.model, &first.python), second, locks)
    });
    let (installation, second, locks) = found.await.map_err(std::io::Error::from)?;
    debug!(server = ?installation.server.pin, signed = signer.is_some(), "what makes results here");
    let origin = Origin::new(installation, signer).with_statements(settings.provenance.statement);
    Ok(match second {
        Some(second) => origin
            .with_model(Model::Trellis2, second)
            .with_locked_shape_encoder(locks),
        None => origin,
    })
}

/// Whether the lock in TRELLIS.2's folder has every file of its encoder of shapes. Blocks.
fn locks_shape_encoder(model: &Path) -> bool {
    let (Ok(pipeline), Ok(lock)) = (Pipeline::read(model), Lock::read(&model.join(LOCK_FILE))) else {
        return false;
    };
    let Some(encoder) = pipeline.shape_encoder() else {
        return false;
    };
    let config = encoder.config();
    let config_is_locked = lock.file(&config).is_some() || !model.join(&config).exists();
    lock.file(&encoder.weights()).is_some() && config_is_locked
}

/// What runs here. Blocks.
pub fn find(model: &Path, python: &Path, search: Option<&OsStr>) -> Installation {
    let store = Store::system().ok();
    let own = std::env::current_exe().ok();
    let pin = match own.as_deref().and_then(own_store_path) {
        Some(path) => nix(store.as_ref(), &path),
        None => Pin::Unpinned {
            sha256: own.as_deref().and_then(digest),
        },
    };
    let environment = located(python, search).and_then(|program| first_store_path(&program));
    let python_env = match environment {
        Some(path) => nix(store.as_ref(), &path),
        None => Pin::Unpinned { sha256: None },
    };
    Installation {
        server: ServerBuild {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pin,
        },
        python_env,
        model_lock: Some(model)
            .filter(|model| !model.as_os_str().is_empty())
            .and_then(|model| digest(&model.join(LOCK_FILE))),
    }
}

/// A store path with the hash that the database has of it. Without a database every file would have to be
/// read: then it stays open.
fn nix(store: Option<&Store>, path: &StorePath<String>) -> Pin {
    let store = store.filter(|store| store.source() == Source::Database);
    let known = store.and_then(|store| match store.info(path) {
        Ok(known) => known,
        Err(error) => {
            warn!(
                error = &error as &dyn std::error::Error,
                "the Nix database cannot be read"
            );
            None
        }
    });
    Pin::Nix {
        store_path: path.to_absolute_path(),
        nar_hash: known.map(|known| known.nar_hash.to_sri_string()),
    }
}

fn digest(file: &Path) -> Option<Sha256> {
    let (_, sha256) = Sha256::of_reader(File::open(file).ok()?).ok()?;
    Some(sha256)
}

/// A program by its path, or by its name in the folders of `search`.
fn located(program: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program).ok();
    }
    let folders = std::env::split_paths(search?);
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The first store path on the way to a program. An environment is such a path of links: following them to
/// their end would name the bare interpreter. A virtual environment's packages are in no store.
fn first_store_path(program: &Path) -> Option<StorePath<String>> {
    let mut at = program.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok((path, _)) = StorePath::from_absolute_path_full(&at) {
            return Some(path);
        }
        let folder = at.parent()?;
        if folder.join("../pyvenv.cfg").exists() {
            return None;
        }
        let next = match at.read_link() {
            Ok(to) => folder.join(to),
            // A folder on the way may be the link.
            Err(_) => folder.canonicalize().ok()?.join(at.file_name()?),
        };
        if next == at {
            return None;
        }
        at = next;
    }
    None
}

/// Reads the secret key, if one is named. Its text is in no error.
fn signer(file: &Path) -> Result<Option<SigningKey>, NodeError> {
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let path = file.to_owned();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(source) => return Err(NodeError::SigningKeyUnreadable { path, source }),
    };
    match text.parse() {
        Ok(key) => Ok(Some(key)),
        Err(source) => Err(NodeError::SigningKeyInvalid { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use trellis_models::shape_encoder;

    use super::*;

    #[test]
    fn this_program_is_named_by_its_own_digest_outside_of_a_store() {
        let here = find(Path::new(""), Path::new("no-such-python"), None);
        let Pin::Unpinned { sha256: Some(sha256) } = here.server.pin else {
            panic!("{:?}", here.server.pin);
        };
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(sha256, Sha256::of(&own));
        assert_eq!(here.python_env, Pin::Unpinned { sha256: None });
        assert_eq!(here.model_lock, None);
    }

    #[test]
    fn a_lock_is_named_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK_FILE), "{}").unwrap();
        let here = find(folder.path(), Path::new("no-such-python"), None);
        assert_eq!(here.model_lock, Some(Sha256::of(b"{}")));
    }

    #[test]
    fn a_lock_has_the_encoder_of_shapes_with_every_file_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let lock = |paths: &[&str]| {
            let sha256 = "0".repeat(64);
            let file = |path: &&str| format!(r#"{{"path":"{path}","size":1,"sha256":"{sha256}"}}"#);
            let files: Vec<String> = paths.iter().map(file).collect();
            let text = format!(
                r#"{{"version":1,"repo":null,"revision":null,"files":[{}]}}"#,
                files.join(",")
            );
            write(LOCK_FILE, &text);
            locks_shape_encoder(folder.path())
        };
        let (weights, config) = (
            format!("{}.safetensors", shape_encoder::NAME),
            format!("{}.json", shape_encoder::NAME),
        );
        assert!(!lock(&[&weights]), "there is no pipeline");
        write(
            "pipeline.json",
            r#"{"name":"Trellis2ImageTo3DPipeline","args":{"models":{}}}"#,
        );
        assert!(!lock(&[]));
        assert!(lock(&[&weights]));
        write(&config, "{}");
        assert!(!lock(&[&weights]), "its configuration takes part");
        assert!(lock(&[&weights, &config]));
        write(
            "pipeline.json",
            r#"{"name":"TrellisImageTo3DPipeline","args":{"models":{}}}"#,
        );
        assert!(!lock(&[&weights]));
    }

    #[test]
    fn an_environment_is_the_first_store_path_on_the_way() {
        const ENVIRONMENT: &str = "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-python3-env";
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("python3");
        symlink(format!("{ENVIRONMENT}/bin/python3"), &link).unwrap();
        let profile = folder.path().join("profile");
        symlink(folder.path(), &profile).unwrap();
        for program in [&link, &profile.join("python3")] {
            let found = first_store_path(program).unwrap();
            assert_eq!(found.to_absolute_path(), ENVIRONMENT, "{}", program.display());
        }
        assert_eq!(
            located(Path::new("python3"), Some(folder.path().as_os_str())),
            None
        );

        // The same link in a virtual environment says nothing of the packages there.
        let venv = folder.path().join("venv");
        std::fs::create_dir_all(venv.join("bin")).unwrap();
        std::fs::write(venv.join("pyvenv.cfg"), "").unwrap();
        symlink(&link, venv.join("bin/python3")).unwrap();
        assert_eq!(first_store_path(&venv.join("bin/python3")), None);
        assert_eq!(first_store_path(&std::env::current_exe().unwrap()), None);
    }

    #[test]
    fn a_key_that_is_none_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "studio-1:c2VjcmV0").unwrap();
        let error = signer(&file).unwrap_err();
        assert!(error.to_string().starts_with("cannot use the signing key"));
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "the key has 6 bytes, 64 are expected");
        assert!(signer(Path::new("")).unwrap().is_none());
        assert!(signer(&folder.path().join("missing")).is_err());
    }
}
