//! A store path of a record, held against the store of this machine: its files are really hashed.

use std::path::Path;

use nix_compat::nixhash::NixHash;
use trellis_closure::{ClosureError, Source, Store, hash_path};

/// What was found to be right, or what is wrong.
pub(super) fn check(store_path: &str, recorded: Option<&str>) -> Result<String, String> {
    let store = Store::system().map_err(|error| format!("{store_path} is not here: {error}"))?;
    check_in(&store, store_path, recorded)
}

fn check_in(store: &Store, store_path: &str, recorded: Option<&str>) -> Result<String, String> {
    let said = |error: ClosureError| format!("{store_path} cannot be looked at: {error}");
    let path = store.find(Path::new(store_path)).map_err(said)?;
    let files = store.real_path(&path);
    if files.symlink_metadata().is_err() {
        return Err(format!("{store_path} is not here"));
    }
    let (hash, _) = hash_path(&files).map_err(said)?;
    let recorded = match recorded {
        Some(text) => NixHash::from_sri(text).map_err(|_| format!("the record's hash `{text}` is none"))?,
        None => return Ok("whose hash was not recorded".to_owned()),
    };
    if hash != recorded {
        return Err(format!(
            "{store_path} has the NAR hash {}, it was {}",
            hash.to_sri_string(),
            recorded.to_sri_string()
        ));
    }
    // What Nix itself would say, where there is somebody to ask.
    match (store.source(), store.info(&path)) {
        (Source::Database, Ok(Some(known))) if known.nar_hash != recorded => Err(format!(
            "{store_path} is another one by the Nix database: {}",
            known.nar_hash.to_sri_string()
        )),
        (Source::Database, Ok(Some(_))) => {
            Ok("its NAR hash is that of files, database and record".to_owned())
        }
        _ => Ok("its NAR hash is that of files and record".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-trellis-0.1.0";

    #[test]
    fn one_other_byte_is_another_path() {
        let root = tempfile::tempdir().unwrap();
        let files = root.path().join(&PATH[1..]);
        std::fs::create_dir_all(files.join("bin")).unwrap();
        std::fs::write(files.join("bin/trellis"), "program").unwrap();
        let store = Store::open(root.path()).unwrap();
        let (hash, _) = hash_path(&files).unwrap();
        let hash = hash.to_sri_string();
        assert_eq!(
            check_in(&store, PATH, Some(&hash)).unwrap(),
            "its NAR hash is that of files and record"
        );
        assert!(check_in(&store, PATH, None).unwrap().contains("not recorded"));
        std::fs::write(files.join("bin/trellis"), "Program").unwrap();
        let problem = check_in(&store, PATH, Some(&hash)).unwrap_err();
        assert!(problem.contains(&format!("it was {hash}")), "{problem}");
        let problem = check_in(&store, &PATH.replace("0.1.0", "0.2.0"), Some(&hash)).unwrap_err();
        assert!(problem.ends_with("is not here"), "{problem}");
        assert!(check_in(&store, "nonsense", Some(&hash)).is_err());
    }
}
