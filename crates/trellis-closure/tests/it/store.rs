//! Closures: from the database and from the files alone.

use std::fs;
use std::path::Path;

use nix_compat::store_path::StorePath;
use trellis_closure::{ClosureError, Source, Store, own_store_path};
use trellis_core::Explain as _;

use crate::kit::{Packages, REGISTERED, Sample};

fn names(store: &Store, start: &str) -> Vec<String> {
    let closure = store.closure(&start.parse().unwrap()).unwrap();
    closure.paths.iter().map(|info| info.path.to_string()).collect()
}

#[test]
fn a_scan_finds_what_the_database_says() {
    let (with, without) = (Sample::new(), Sample::without_database());
    let packages = Packages::new(&with);
    Packages::new(&without);
    let (known, scanned) = (
        Store::open(with.root()).unwrap(),
        Store::open(without.root()).unwrap(),
    );
    assert_eq!(
        (known.source(), scanned.source()),
        (Source::Database, Source::Scan)
    );
    let expected = [&packages.app, &packages.library, &packages.data].map(ToString::to_string);
    assert_eq!(names(&known, &packages.app.to_string()), expected);
    for path in [&packages.app, &packages.library, &packages.data, &packages.other] {
        let (known, scanned) = (
            known.info(path).unwrap().unwrap(),
            scanned.info(path).unwrap().unwrap(),
        );
        assert_eq!(known.references, scanned.references, "{path}");
        assert_eq!(known.nar_hash, scanned.nar_hash, "{path}");
        assert_eq!(known.nar_size, scanned.nar_size, "{path}");
    }
    assert_eq!(names(&scanned, &packages.app.to_string()), expected);
}

/// A recipe names its output, which must not become a reference of it.
#[test]
fn a_recipe_is_read_for_its_inputs() {
    let sample = Sample::without_database();
    let packages = Packages::new(&sample);
    let (app, data) = (packages.app.to_absolute_path(), packages.data.to_absolute_path());
    let recipe: StorePath<String> = format!("{}-app-3.4.drv", "f".repeat(32)).parse().unwrap();
    let text = format!(
        r#"Derive([("out","{app}","","")],[],["{data}"],"x86_64-linux","/bin/sh",[],[("out","{app}")])"#
    );
    let references = |text: &str| {
        fs::write(sample.files(&recipe), text).unwrap();
        let store = Store::open(sample.root()).unwrap();
        store.info(&recipe).unwrap().unwrap().references
    };
    assert_eq!(references(&text), std::slice::from_ref(&packages.data));
    // What is no recipe in spite of its name is scanned.
    assert_eq!(
        references(&text[1..]),
        [packages.app.clone(), packages.data.clone()]
    );
}

#[test]
fn what_the_database_says_of_a_path_is_read_whole() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    sample.set(
        &packages.app,
        "deriver",
        format!("/nix/store/{}-app-3.4.drv", "g".repeat(32)),
    );
    sample.set(&packages.app, "ultimate", 1);
    let store = Store::open(sample.root()).unwrap();
    let info = store.info(&packages.app).unwrap().unwrap();
    assert_eq!(info.registered, Some(REGISTERED));
    assert_eq!(info.deriver.unwrap().name(), "app-3.4.drv");
    assert!(info.built_here);
    let absent = format!("{}-absent", "f".repeat(32)).parse().unwrap();
    assert!(store.info(&absent).unwrap().is_none());
    assert!(matches!(
        store.closure(&absent),
        Err(ClosureError::NotInStore { .. })
    ));
}

#[test]
fn a_row_that_is_not_understood_is_named() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    sample.set(&packages.data, "hash", "sha256:short");
    let store = Store::open(sample.root()).unwrap();
    let error = store.closure(&packages.app).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the Nix database says of `{}` in `hash`: `sha256:short`, which cannot be read",
            packages.data.to_absolute_path()
        )
    );
}

/// The journal holds what was committed last: it must be read, not passed over.
#[test]
fn what_is_only_in_the_journal_is_seen() {
    let sample = Sample::new();
    sample.set_journal();
    let packages = Packages::new(&sample);
    let journal = sample.root().join("nix/var/nix/db/db.sqlite-wal");
    assert!(fs::metadata(journal).unwrap().len() > 0);
    let store = Store::open(sample.root()).unwrap();
    assert!(!store.is_behind());
    assert_eq!(store.closure(&packages.app).unwrap().paths.len(), 3);
}

/// Where the journal may not be read, the database is read without it, and whoever looks for a new path is told.
#[test]
fn a_journal_that_cannot_be_read_is_said() {
    let (sample, copy) = (Sample::new(), Sample::without_database());
    let old = sample.package('f', "old", &[]);
    sample.set_journal();
    let new = sample.package('g', "new", &[]);
    let folder = |sample: &Sample| sample.root().join("nix/var/nix/db");
    fs::create_dir_all(folder(&copy)).unwrap();
    for file in ["db.sqlite", "db.sqlite-wal"] {
        fs::copy(folder(&sample).join(file), folder(&copy).join(file)).unwrap();
    }
    // SQLite follows no link there, so this stands in for a file of another user.
    std::os::unix::fs::symlink("absent", folder(&copy).join("db.sqlite-shm")).unwrap();
    let store = Store::open(copy.root()).unwrap();
    assert!(store.is_behind());
    assert!(store.info(&old).unwrap().is_some());
    assert_eq!(store.closure(&new).unwrap_err().kind(), "not_in_old_database");
}

#[test]
fn no_store_and_no_database_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), "store_missing");
    let database = folder.path().join("nix/var/nix/db");
    fs::create_dir_all(folder.path().join("nix/store")).unwrap();
    fs::create_dir_all(&database).unwrap();
    fs::write(
        database.join("db.sqlite"),
        "this is no database, though it is long enough to be looked at",
    )
    .unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), "database");
}

#[test]
fn a_path_is_found_by_what_people_call_it() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    let store = Store::open(sample.root()).unwrap();
    let result = sample.root().join("result");
    std::os::unix::fs::symlink(sample.files(&packages.app), &result).unwrap();
    let inside = sample.files(&packages.app).join("bin/also");
    let absolute = packages.app.to_absolute_path();
    let name = packages.app.to_string();
    for named in [Path::new(&absolute), Path::new(&name), &result, &inside] {
        assert_eq!(store.find(named).unwrap(), packages.app, "{}", named.display());
    }
    let below = format!("{absolute}/bin/run");
    assert_eq!(store.find(Path::new(&below)).unwrap(), packages.app);
    assert_eq!(store.find(sample.root()).unwrap_err().kind(), "not_a_store_path");
    assert_eq!(
        store.find(&sample.root().join("absent")).unwrap_err().kind(),
        "unreadable"
    );
}

#[test]
fn a_program_outside_a_store_has_no_store_path() {
    assert_eq!(own_store_path(&std::env::current_exe().unwrap()), None);
    assert_eq!(own_store_path(Path::new("/absent")), None);
}
