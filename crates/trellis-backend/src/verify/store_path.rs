//! A store path of a record, compared with the store of this machine: its files are really hashed.

use std::path::Path;

use nix_compat::nixhash::NixHash;
use nix_compat::store_path::StorePath;
use trellis_closure::{Source, Store, hash_path};

/// What was found to be right, or what is wrong.
pub(super) fn check(store_path: &str, recorded: Option<&str>) -> Result<String, String> {
    check_in(Path::new("/"), store_path, recorded)
}

fn check_in(root: &Path, store_path: &str, recorded: Option<&str>) -> Result<String, String> {
    // The record is anybody's text: nothing but a store path is looked at.
    let path = StorePath::<String>::from_absolute_path(store_path.as_bytes())
        .map_err(|_| format!("`{store_path}` is not a store path"))?;
    let files = root.join(store_path.trim_start_matches('/'));
    if files.symlink_metadata().is_err() {
        return Err(format!("{store_path} is not here"));
    }
    let (hash, _) = hash_path(&files).map_err(|error| format!("{store_path} cannot be read: {error}"))?;
    let recorded = match recorded {
        Some(text) => {
            NixHash::from_sri(text).map_err(|_| format!("the hash in the record, `{text}`, is invalid"))?
        }
        None => return Ok("its hash was not recorded".to_owned()),
    };
    if hash != recorded {
        return Err(format!(
            "{store_path} has the NAR hash {}; recorded {}",
            hash.to_sri_string(),
            recorded.to_sri_string()
        ));
    }
    match by_nix(root, &path) {
        Some(known) if known != recorded => Err(format!(
            "{store_path} has another NAR hash in the Nix database: {}",
            known.to_sri_string()
        )),
        Some(_) => Ok("NAR hash matches files, database and record".to_owned()),
        None => Ok("NAR hash matches files and record".to_owned()),
    }
}

/// What the Nix database says of a path, where there is one that can be read.
fn by_nix(root: &Path, path: &StorePath<String>) -> Option<NixHash> {
    let store = Store::open(root).ok()?;
    if store.source() != Source::Database {
        return None;
    }
    Some(store.info(path).ok()??.nar_hash)
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
        let (hash, _) = hash_path(&files).unwrap();
        let hash = hash.to_sri_string();
        assert_eq!(
            check_in(root.path(), PATH, Some(&hash)).unwrap(),
            "NAR hash matches files and record"
        );
        assert!(
            check_in(root.path(), PATH, None)
                .unwrap()
                .contains("not recorded")
        );
        std::fs::write(files.join("bin/trellis"), "Program").unwrap();
        let problem = check_in(root.path(), PATH, Some(&hash)).unwrap_err();
        assert!(problem.contains(&format!("recorded {hash}")), "{problem}");
        let problem = check_in(root.path(), &PATH.replace("0.1.0", "0.2.0"), Some(&hash)).unwrap_err();
        assert!(problem.ends_with("is not here"), "{problem}");
        // An invalid database keeps nothing from being compared.
        std::fs::write(files.join("bin/trellis"), "program").unwrap();
        let database = root.path().join("nix/var/nix/db");
        std::fs::create_dir_all(&database).unwrap();
        std::fs::write(database.join("db.sqlite"), "junk").unwrap();
        assert!(check_in(root.path(), PATH, Some(&hash)).is_ok());
    }

    #[test]
    fn refuses_paths_that_lead_out_of_the_store() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "nonsense",
            "/etc",
            "/nix/store",
            &format!("{PATH}/bin"),
            &format!("{PATH}/../../etc"),
        ] {
            let problem = check_in(root.path(), path, None).unwrap_err();
            assert_eq!(problem, format!("`{path}` is not a store path"));
        }
    }
}
