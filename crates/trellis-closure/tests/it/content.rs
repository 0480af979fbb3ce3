//! Paths whose name follows from their content.

use std::fs;

use nix_compat::nixhash::{CAHash, NixHash};
use nix_compat::store_path::{StorePath, build_ca_path};
use sha2::{Digest as _, Sha256};
use trellis_closure::verify::{Against, Checked, Trust, verify};
use trellis_closure::{Store, hash_path};

use crate::kit::Sample;

fn check(sample: &Sample, path: &StorePath<String>) -> Checked {
    let store = Store::open(sample.root()).unwrap();
    let closure = store.closure(path).unwrap();
    verify(&store, &closure, Against::default(), &|_| {})
        .unwrap()
        .remove(0)
}

fn kinds(checked: &Checked) -> Vec<&'static str> {
    checked.problems.iter().map(trellis_core::Explain::kind).collect()
}

/// A file of this text under the name that the address gives, as Nix would register it.
fn add(sample: &Sample, text: &str, ca: &CAHash) -> StorePath<String> {
    let path = build_ca_path("file", ca, Vec::<String>::new(), false).unwrap();
    fs::write(sample.files(&path), text).unwrap();
    sample.register(&path, &[]);
    sample.set(&path, "ca", ca.to_nix_nixbase32_string());
    path
}

/// The address of this text, in each of the forms that Nix has.
fn addresses(text: &str) -> [CAHash; 3] {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, text).unwrap();
    let flat: [u8; 32] = Sha256::digest(text).into();
    [
        CAHash::Text(flat),
        CAHash::Flat(NixHash::Sha256(flat)),
        CAHash::Nar(hash_path(&file).unwrap().0),
    ]
}

#[test]
fn the_content_gives_the_name() {
    for ca in addresses("text\n") {
        let sample = Sample::new();
        let path = add(&sample, "text\n", &ca);
        let checked = check(&sample, &path);
        assert_eq!(
            (kinds(&checked), &checked.trust),
            (vec![], &Trust::Content),
            "{ca:?}"
        );
    }
}

/// Nothing is proven by an address whose hash is not computed.
#[test]
fn an_address_by_another_hash_vouches_for_nothing() {
    let sample = Sample::new();
    let ca = CAHash::Flat(NixHash::Sha1([7; 20]));
    let checked = check(&sample, &add(&sample, "text\n", &ca));
    assert_eq!((kinds(&checked), &checked.trust), (vec![], &Trust::Nobody));
}

/// The database has been made to fit the new content; only the name still says what it was.
#[test]
fn a_content_that_the_database_was_made_to_fit_is_found() {
    for ca in addresses("text\n") {
        let sample = Sample::new();
        let path = add(&sample, "text\n", &ca);
        fs::write(sample.files(&path), "TEXT\n").unwrap();
        let (hash, _) = hash_path(&sample.files(&path)).unwrap();
        sample.set(&path, "hash", hash.to_nix_lowerhex_string());
        assert_eq!(kinds(&check(&sample, &path)), ["other_content"], "{ca:?}");
    }
}

#[test]
fn an_address_of_another_path_is_found() {
    let sample = Sample::new();
    let [text, ..] = addresses("text\n");
    let path = add(&sample, "text\n", &text);
    let [other, ..] = addresses("other\n");
    sample.set(&path, "ca", other.to_nix_nixbase32_string());
    assert_eq!(kinds(&check(&sample, &path)), ["other_path"]);
}
