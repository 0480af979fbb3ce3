//! What is not as it should be is found, and the path is named.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use trellis_closure::Store;
use trellis_closure::verify::{Against, verify};

use crate::kit::{Packages, Sample};

type Damage = fn(&std::path::Path);

/// The kinds of problems of each path that has any, by the path's package.
fn problems(sample: &Sample, packages: &Packages) -> BTreeMap<String, Vec<&'static str>> {
    let store = Store::open(sample.root()).unwrap();
    let closure = store.closure(&packages.app).unwrap();
    let hashed = AtomicU64::new(0);
    let count = |bytes| {
        hashed.fetch_add(bytes, Ordering::Relaxed);
    };
    let checked = verify(&store, &closure, Against::default(), &count).unwrap();
    assert_eq!(checked.len(), closure.paths.len());
    assert_eq!(
        hashed.into_inner(),
        checked.iter().map(|path| path.bytes).sum::<u64>()
    );
    let bad = checked.iter().filter(|path| !path.problems.is_empty());
    bad.map(|path| {
        let kinds = path.problems.iter().map(trellis_core::Explain::kind).collect();
        (path.path.name().clone(), kinds)
    })
    .collect()
}

fn only(name: &str, kinds: &[&'static str]) -> BTreeMap<String, Vec<&'static str>> {
    BTreeMap::from([(name.to_owned(), kinds.to_vec())])
}

#[test]
fn a_sound_closure_has_no_problem() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    assert_eq!(problems(&sample, &packages), BTreeMap::new());
}

#[test]
fn one_changed_byte_names_its_path() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    sample.tamper(&packages.library);
    assert_eq!(problems(&sample, &packages), only("library-1.2", &["hash"]));
}

#[test]
fn what_is_not_in_the_closure_is_not_looked_at() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    sample.tamper(&packages.other);
    assert_eq!(problems(&sample, &packages), BTreeMap::new());
}

#[test]
fn a_file_that_came_went_or_changed_its_kind_is_found() {
    let damages: [(&str, Damage); 4] = [
        ("added", |path| fs::write(path.join("new"), "").unwrap()),
        ("removed", |path| fs::remove_file(path.join("bin/also")).unwrap()),
        ("an executable bit", |path| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path.join("bin/run"), fs::Permissions::from_mode(0o444)).unwrap();
        }),
        ("a link's target", |path| {
            fs::remove_file(path.join("bin/also")).unwrap();
            std::os::unix::fs::symlink("rum", path.join("bin/also")).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let sample = Sample::new();
        let packages = Packages::new(&sample);
        damage(&sample.files(&packages.data));
        let found = problems(&sample, &packages);
        assert!(found["data"].contains(&"hash"), "{what}: {found:?}");
        assert_eq!(found.len(), 1, "{what}");
    }
}

#[test]
fn a_missing_path_and_a_wrong_size_are_told_apart() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    fs::remove_dir_all(sample.files(&packages.data)).unwrap();
    assert_eq!(problems(&sample, &packages), only("data", &["missing"]));

    let sample = Sample::new();
    let packages = Packages::new(&sample);
    sample.set(&packages.data, "narSize", 1);
    assert_eq!(problems(&sample, &packages), only("data", &["size"]));
}

#[test]
fn a_pipe_in_the_store_is_refused_rather_than_read_for_ever() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    let pipe = sample.files(&packages.data).join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(problems(&sample, &packages), only("data", &["special_file"]));
}

#[test]
fn files_alone_have_nothing_to_be_compared_with() {
    let sample = Sample::without_database();
    let packages = Packages::new(&sample);
    assert_eq!(problems(&sample, &packages).len(), 3);
    assert_eq!(problems(&sample, &packages)["data"], ["nothing_said"]);
}
