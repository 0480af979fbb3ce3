//! Store paths as `nix store add`, `builtins.toFile` and `nix store make-content-addressed` name them.

use nix_compat::nixhash::{CAHash, NixHash};
use nix_compat::store_path::{
    BuildStorePathError, StorePath, StorePathRef, build_ca_path, build_text_path, hash_placeholder,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::kit::{golden_text, rows};

#[test]
fn names_are_allowed_as_nix_allows_them() {
    let hash = CAHash::Flat(NixHash::Sha256(Sha256::digest("hi\n").into()));
    for [name, path] in rows("names.tsv") {
        let built: Result<StorePathRef<'_>, _> = build_ca_path(&name, &hash, [""; 0], false);
        match (path.as_str(), built) {
            ("refused", Err(BuildStorePathError::InvalidStorePath(_))) => {}
            (path, Ok(built)) => assert_eq!(built.to_absolute_path(), path),
            (path, built) => panic!("{name}: {path}, {built:?}"),
        }
    }
}

#[test]
fn content_addressed_paths_are_computed() {
    let info: Value = serde_json::from_str(&golden_text("path-info.json")).unwrap();
    let (mut kinds, mut own_references, mut references) = ([0; 3], 0, 0);
    for (path, info) in info.as_object().unwrap() {
        let Some(ca) = info["ca"].as_str() else { continue };
        let hash = CAHash::from_nix_hex_str(ca).unwrap();
        assert_eq!(hash.to_nix_nixbase32_string(), ca);
        let parsed = StorePathRef::from_absolute_path(path.as_bytes()).unwrap();
        let all = info["references"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reference| reference.as_str().unwrap());
        let (own, others): (Vec<&str>, Vec<&str>) = all.partition(|reference| reference == path);
        own_references += own.len();
        references += others.len();
        kinds[hash.mode() as usize] += 1;
        let built = build_ca_path(parsed.name(), &hash, &others, !own.is_empty());
        assert_eq!(built, Ok(parsed.clone()), "{ca}");
    }
    // Of each kind there was something.
    assert!(
        kinds.iter().all(|&count| count >= 3) && own_references > 0 && references > 0,
        "{kinds:?}"
    );
}

#[test]
fn texts_are_named_by_their_content_and_references() {
    let info: Value = serde_json::from_str(&golden_text("path-info.json")).unwrap();
    let text = |name, content: &str, references: &[&str]| {
        let path: StorePath<String> = build_text_path(name, content, references).unwrap();
        let path = path.to_absolute_path();
        assert!(info[&path].is_object(), "{path} is not what Nix made");
        path
    };
    let (one, a) = (text("text-1", "hello", &[]), text("a", "b", &[]));
    text("text-2", &format!("see {one} and {a}"), &[&one, &a]);
}

#[test]
fn placeholders_are_those_of_nix() {
    for [name, placeholder] in rows("placeholders.tsv") {
        assert_eq!(hash_placeholder(&name), placeholder);
    }
}

#[test]
fn paths_sort_as_their_texts_do() {
    let info: Value = serde_json::from_str(&golden_text("path-info.json")).unwrap();
    let mut texts: Vec<&String> = info.as_object().unwrap().keys().collect();
    let mut paths: Vec<StorePathRef<'_>> = texts
        .iter()
        .map(|text| StorePathRef::from_absolute_path(text.as_bytes()).unwrap())
        .collect();
    texts.sort();
    paths.reverse();
    paths.sort();
    let sorted: Vec<String> = paths.iter().map(StorePath::to_absolute_path).collect();
    assert!(sorted.iter().eq(texts));
}
