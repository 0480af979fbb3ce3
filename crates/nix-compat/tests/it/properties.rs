//! What holds for any contents.

use std::collections::BTreeMap;

use nix_compat::narinfo::{Flags, NarInfo, Signature};
use nix_compat::nixhash::{CAHash, HashAlgo, NixHash};
use nix_compat::store_path::{StorePath, StorePathRef};
use nix_compat::{nar, nixbase32};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::kit::Tree;

fn hash() -> impl Strategy<Value = NixHash> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(NixHash::Md5),
        any::<[u8; 20]>().prop_map(NixHash::Sha1),
        any::<[u8; 32]>().prop_map(NixHash::Sha256),
        any::<[u8; 64]>().prop_map(|digest| NixHash::Sha512(Box::new(digest))),
    ]
}

fn ca_hash() -> impl Strategy<Value = CAHash> {
    prop_oneof![
        hash().prop_map(CAHash::Flat),
        hash().prop_map(CAHash::Nar),
        any::<[u8; 32]>().prop_map(CAHash::Text),
    ]
}

fn store_path() -> impl Strategy<Value = StorePath<String>> {
    (any::<[u8; 20]>(), "[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,30}")
        .prop_map(|(digest, name)| StorePath::from_name_and_digest_fixed(&name, digest).unwrap())
}

fn tree() -> impl Strategy<Value = Tree> {
    let name = "[^/\0]{1,60}".prop_filter("`.` and `..` are no names", |name| name != "." && name != "..");
    let leaf = prop_oneof![
        "[^\0]{1,40}".prop_map(|target| Tree::Symlink(target.into())),
        (any::<bool>(), vec(any::<u8>(), 0..40))
            .prop_map(|(executable, contents)| Tree::File { executable, contents }),
    ];
    leaf.prop_recursive(4, 30, 6, move |tree| {
        btree_map(name.clone().prop_map(String::into_bytes), tree, 0..6).prop_map(Tree::Directory)
    })
}

proptest! {
    #[test]
    fn nixbase32_is_read_as_written(bytes in vec(any::<u8>(), 0..80)) {
        let text = nixbase32::encode(&bytes);
        prop_assert_eq!(text.len(), nixbase32::encode_len(bytes.len()));
        prop_assert_eq!(nixbase32::decode_len(text.len()), bytes.len());
        prop_assert_eq!(nixbase32::decode(&text).unwrap(), bytes);
    }

    #[test]
    fn nixbase32_has_one_text_for_its_bytes(text in "[0-9a-z]{0,60}") {
        if let Ok(bytes) = nixbase32::decode(&text) {
            prop_assert_eq!(nixbase32::encode(&bytes), text);
        }
    }

    #[test]
    fn hashes_are_read_as_written(hash in hash()) {
        let algo = Some(hash.algo());
        for text in [hash.to_sri_string(), hash.to_nix_nixbase32(), hash.to_nix_lowerhex_string()] {
            prop_assert_eq!(NixHash::from_str(&text, None), Ok(hash.clone()));
            prop_assert_eq!(NixHash::from_str(&text, algo), Ok(hash.clone()));
        }
        let same = NixHash::from_algo_and_digest(hash.algo(), hash.digest_as_bytes());
        prop_assert_eq!(same.as_ref(), Ok(&hash));
        for algo in [HashAlgo::Md5, HashAlgo::Sha1, HashAlgo::Sha256, HashAlgo::Sha512] {
            let taken = NixHash::from_algo_and_digest(algo, hash.digest_as_bytes()).is_ok();
            prop_assert_eq!(taken, algo == hash.algo());
        }
    }

    #[test]
    fn content_addresses_are_read_as_written(ca in ca_hash()) {
        prop_assert_eq!(CAHash::from_nix_hex_str(&ca.to_nix_nixbase32_string()), Some(ca));
    }

    #[test]
    fn store_paths_are_read_as_written_and_sort_as_texts(left in store_path(), right in store_path()) {
        let text = left.to_absolute_path();
        prop_assert_eq!(&StorePath::<String>::from_absolute_path(text.as_bytes()).unwrap(), &left);
        prop_assert_eq!(&left.to_string().parse::<StorePath<String>>().unwrap(), &left);
        prop_assert_eq!(left.as_ref().to_owned(), left.clone());
        prop_assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in any::<String>(), bytes in vec(any::<u8>(), 0..200)) {
        let _ = (NixHash::from_str(&text, None), NixHash::from_str(&text, Some(HashAlgo::Sha1)));
        let _ = (NixHash::from_sri(&text), NixHash::from_nix_nixbase32(&text), CAHash::from_nix_hex_str(&text));
        let _ = (StorePathRef::from_bytes(&bytes), StorePathRef::from_absolute_path_full(&text));
        let _ = (nixbase32::decode(&bytes), nixbase32::decode_fixed::<20>(&bytes));
        let _ = (NarInfo::parse(&text), Signature::<String>::parse(&text));
        let _ = nar::copy(&mut bytes.as_slice(), &mut std::io::sink());
    }

    #[test]
    fn archives_are_read_as_written(tree in tree(), buffer in 1..100_usize) {
        let nar = tree.to_nar();
        prop_assert_eq!(Tree::from_nar(&nar, buffer).unwrap(), tree);
        let mut copied = Vec::new();
        nar::copy(&mut nar.as_slice(), &mut copied).unwrap();
        prop_assert_eq!(copied, nar);
    }

    #[test]
    fn a_changed_archive_is_refused_or_another_tree(
        tree in tree(), position in any::<prop::sample::Index>(), change in 1..=255_u8,
    ) {
        let mut nar = tree.to_nar();
        let position = position.index(nar.len());
        nar[position] ^= change;
        if let Ok(other) = Tree::from_nar(&nar, 64) {
            prop_assert_ne!(&other, &tree);
            let again = other.to_nar();
            prop_assert_eq!(&again[..], &nar[..again.len()]);
        }
    }

    #[test]
    fn narinfo_is_read_as_written(
        paths in vec(store_path(), 1..6),
        (nar_hash, nar_size) in (any::<[u8; 32]>(), 1..=u64::MAX),
        (file_hash, file_size) in any::<(Option<[u8; 32]>, Option<u64>)>(),
        (url, compression) in ("[!-~]{1,30}", proptest::option::of("[a-z0-9]{1,6}")),
        ca in proptest::option::of(ca_hash()),
        signatures in vec(("[^:\r\n]{1,20}", vec(any::<u8>(), 64)), 0..3),
    ) {
        prop_assume!(compression.as_deref() != Some("none"));
        let mut references: Vec<_> = paths.iter().map(StorePath::as_ref).collect();
        references.sort();
        references.dedup();
        let info = NarInfo {
            flags: Flags::empty(),
            store_path: paths[0].as_ref(),
            nar_hash, nar_size, references, ca, file_hash, file_size,
            signatures: signatures.iter().map(|(name, bytes)| {
                Signature::new(name.as_str(), bytes.as_slice().try_into().unwrap())
            }).collect(),
            system: None,
            deriver: paths.get(1).map(StorePath::as_ref),
            url: &url,
            compression: compression.as_deref(),
        };
        let text = info.to_string();
        let read = NarInfo::parse(&text).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{info:?}"));
        prop_assert_eq!(read.fingerprint(), info.fingerprint());
    }

    #[test]
    fn a_changed_narinfo_never_panics_and_is_read_as_written(
        position in any::<prop::sample::Index>(), with in any::<char>(),
    ) {
        let plain = crate::kit::golden_text("odd/plain.narinfo");
        let mut text: Vec<char> = plain.chars().collect();
        let position = position.index(text.len());
        text[position] = with;
        let text: String = text.into_iter().collect();
        if let Ok(info) = NarInfo::parse(&text) {
            let printed = info.to_string();
            prop_assert_eq!(NarInfo::parse(&printed).unwrap().to_string(), printed);
        }
    }
}

#[test]
fn an_empty_directory_is_an_archive() {
    let tree = Tree::Directory(BTreeMap::new());
    assert_eq!(Tree::from_nar(&tree.to_nar(), 1).unwrap(), tree);
}
