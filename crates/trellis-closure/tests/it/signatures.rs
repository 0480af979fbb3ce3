//! Signatures, in the database and in a binary cache.

use std::fs;
use std::path::Path;

use ed25519_dalek::SigningKey as Secret;
use nix_compat::narinfo::{NarInfo, SigningKey, VerifyingKey};
use nix_compat::nixbase32;
use nix_compat::store_path::StorePath;
use trellis_closure::verify::{Against, Checked, Problem, Trust, verify};
use trellis_closure::{BinaryCache, Store};
use trellis_core::Explain as _;

use crate::kit::{Packages, Sample};

/// A key by the name `name`; the same seed makes the same key.
fn key(name: &str, seed: u8) -> (SigningKey<Secret>, VerifyingKey) {
    let secret = Secret::from_bytes(&[seed; 32]);
    let public = VerifyingKey::new(name.to_owned(), secret.verifying_key());
    (SigningKey::new(name.to_owned(), secret), public)
}

/// What a binary cache says of a path, signed.
fn narinfo(store: &Store, path: &StorePath<String>, secret: &SigningKey<Secret>) -> String {
    let info = store.info(path).unwrap().unwrap();
    let references: Vec<String> = info.references.iter().map(ToString::to_string).collect();
    let text = format!(
        "StorePath: {}\nURL: nar/x.nar\nCompression: none\nNarHash: {}\nNarSize: {}\nReferences: {}\n",
        path.to_absolute_path(),
        info.nar_hash.to_nix_nixbase32(),
        info.nar_size,
        references.join(" ")
    );
    let mut narinfo = NarInfo::parse(&text).unwrap();
    narinfo.add_signature(secret);
    narinfo.to_string()
}

/// The signature alone, as it stands in the database.
fn signature(store: &Store, path: &StorePath<String>, secret: &SigningKey<Secret>) -> String {
    let text = narinfo(store, path, secret);
    let line = text.lines().find_map(|line| line.strip_prefix("Sig: "));
    line.unwrap().to_owned()
}

fn write_narinfo(cache: &Path, path: &StorePath<String>, text: &str) {
    fs::write(
        cache.join(format!("{}.narinfo", nixbase32::encode(path.digest()))),
        text,
    )
    .unwrap();
}

fn check(store: &Store, path: &StorePath<String>, against: Against<'_>) -> Vec<Checked> {
    verify(store, &store.closure(path).unwrap(), against, &|_| {}).unwrap()
}

fn kinds(checked: &Checked) -> Vec<&'static str> {
    checked.problems.iter().map(Problem::kind).collect()
}

#[test]
fn a_signature_in_the_database_is_checked_with_the_key_of_its_name() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    let store = Store::open(sample.root()).unwrap();
    let (secret, public) = key("cache-1", 7);
    let (_, impostor) = key("cache-1", 8);
    let (_, stranger) = key("other-1", 7);
    sample.set(
        &packages.data,
        "sigs",
        format!("nonsense {}", signature(&store, &packages.data, &secret)),
    );

    let checked = |key: VerifyingKey, signed: bool| {
        let keys = [key];
        let against = Against {
            cache: None,
            keys: &keys,
            signed,
        };
        let store = Store::open(sample.root()).unwrap();
        check(&store, &packages.data, against).remove(0)
    };
    let good = checked(public, true);
    assert_eq!(
        (kinds(&good), good.trust),
        (vec![], Trust::Signature(vec!["cache-1".to_owned()]))
    );
    assert_eq!(kinds(&checked(impostor, false)), ["bad_signature"]);
    assert_eq!(kinds(&checked(stranger.clone(), true)), ["not_signed"]);
    let unknown = checked(stranger, false);
    assert_eq!((kinds(&unknown), unknown.trust), (vec![], Trust::Nobody));
}

#[test]
fn a_binary_cache_takes_the_place_of_a_missing_database() {
    let sample = Sample::without_database();
    let packages = Packages::new(&sample);
    let store = Store::open(sample.root()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (secret, public) = key("cache-1", 7);
    for path in [&packages.app, &packages.library, &packages.data] {
        write_narinfo(folder.path(), path, &narinfo(&store, path, &secret));
    }
    let cache = BinaryCache::open(folder.path()).unwrap();
    let keys = [public];
    let against = Against {
        cache: Some(&cache),
        keys: &keys,
        signed: true,
    };
    assert!(
        check(&store, &packages.app, against)
            .iter()
            .all(|path| path.problems.is_empty())
    );

    sample.tamper(&packages.library);
    let store = Store::open(sample.root()).unwrap();
    let checked = check(&store, &packages.app, against);
    let bad: Vec<_> = checked.iter().filter(|path| !path.problems.is_empty()).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!((&bad[0].path, kinds(bad[0])), (&packages.library, vec!["hash"]));
}

#[test]
fn a_narinfo_of_another_path_or_of_none_is_refused() {
    let sample = Sample::new();
    let packages = Packages::new(&sample);
    let store = Store::open(sample.root()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (secret, _) = key("cache-1", 7);
    let cache = BinaryCache::open(folder.path()).unwrap();
    assert!(cache.info(&packages.data).unwrap().is_none());
    write_narinfo(
        folder.path(),
        &packages.data,
        &narinfo(&store, &packages.app, &secret),
    );
    assert_eq!(cache.info(&packages.data).unwrap_err().kind(), "narinfo");
    write_narinfo(folder.path(), &packages.data, "StorePath: nonsense\n");
    assert_eq!(cache.info(&packages.data).unwrap_err().kind(), "narinfo");
}
