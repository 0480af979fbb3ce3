//! Derivations against those that Nix made (`tests/goldens/make-derivations`), and random ones.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use nix_compat::derivation::{CAHash, Derivation, NixHash, Output, ParserError};
use nix_compat::store_path::StorePath;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::store;

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/made-derivations")
}

fn golden(path: &str) -> Vec<u8> {
    fs::read(goldens().join("derivations").join(path)).unwrap()
}

#[test]
fn nix_wrote_and_computed_the_same() {
    let found = store::check(&goldens().join("derivations")).unwrap();
    assert_eq!(found.differing, BTreeMap::new());
    let files = fs::read_dir(goldens().join("derivations")).unwrap().count();
    assert_eq!((found.agreeing, found.fixed), (files, 8));
}

#[test]
fn a_changed_derivation_has_other_paths() {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(goldens().join("derivations")).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read(entry.path()).unwrap();
        let changed = match String::from_utf8(text) {
            Ok(text) => text.replace("echo", "halt").into_bytes(),
            Err(other) => other.into_bytes(),
        };
        fs::write(folder.path().join(entry.file_name()), changed).unwrap();
    }
    let differing = store::check(folder.path()).unwrap().differing;
    let mut names: Vec<_> = differing.keys().map(|file| &file[33..]).collect();
    names.sort_unstable();
    // Those that use it, and not `with-inputs`, of which only what it must hold counts.
    assert_eq!(
        names,
        [
            "chain.drv",
            "on-recipe.drv",
            "plain.drv",
            "structured.drv",
            "uses.drv"
        ]
    );
}

#[test]
fn nix_shows_the_same() {
    let shown: BTreeMap<StorePath<String>, Derivation> =
        serde_json::from_slice(&fs::read(goldens().join("show.json")).unwrap()).unwrap();
    assert_eq!(shown.len(), 18);
    for (path, shown) in shown {
        let parsed = Derivation::from_aterm_bytes(&golden(&path.to_string())).unwrap();
        assert_eq!(parsed, shown, "{path}");
        let json = serde_json::to_string(&parsed).unwrap();
        assert_eq!(
            serde_json::from_str::<Derivation>(&json).unwrap(),
            parsed,
            "{json}"
        );
    }
}

#[test]
fn json_refuses_what_it_cannot_hold() {
    let name = fs::read_dir(goldens().join("derivations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.ends_with("-not-utf-8.drv"))
        .unwrap();
    let derivation = Derivation::from_aterm_bytes(&golden(&name)).unwrap();
    let error = serde_json::to_string(&derivation).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the variable `text` is not UTF-8, which JSON asks for"
    );

    let with_output = |output: &str| {
        let json = format!(
            r#"{{"args":[],"builder":"b","env":{{}},"inputDrvs":{{}},"inputSrcs":[],"outputs":{{"out":{output}}},"system":"s"}}"#
        );
        serde_json::from_str::<Derivation>(&json).unwrap_err().to_string()
    };
    for (output, said) in [
        (
            r#"{"hashAlgo":"sha256","method":"nar"}"#,
            "content-addressed and gets its path only by a build",
        ),
        (
            r#"{"hash":"da39a3ee5e6b4b0d3255bfef95601890afd80709","hashAlgo":"sha1","method":"git"}"#,
            "hashed by `git`",
        ),
        (r#"{"hash":"00","hashAlgo":"sha1"}"#, "the output's hash `00`: "),
    ] {
        let error = with_output(output);
        assert!(error.contains(said), "{error}");
    }
    let dynamic = r#"{"args":[],"builder":"b","env":{},"inputDrvs":{"/nix/store/zx4l8ff325pyfc54nrw0kjwvwlfp4g71-made.drv.drv":
        {"outputs":[],"dynamicOutputs":{"out":{"outputs":["out"]}}}},"inputSrcs":[],"outputs":{},"system":"s"}"#;
    let error = serde_json::from_str::<Derivation>(dynamic)
        .unwrap_err()
        .to_string();
    assert!(error.contains("dynamic derivations"), "{error}");
}

/// What an error says, with its causes.
fn said(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[test]
fn says_what_it_met_in_derivations_of_newer_nix() {
    let mut met = BTreeMap::new();
    for entry in fs::read_dir(goldens().join("refused")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap();
        let error = Derivation::from_aterm_bytes(&text).unwrap_err();
        met.insert(
            path.file_stem().unwrap().to_string_lossy().into_owned(),
            said(&error),
        );
    }
    insta::assert_json_snapshot!(met);
}

#[test]
fn says_where_a_derivation_breaks_off_or_goes_wrong() {
    let name = fs::read_dir(goldens().join("derivations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.ends_with("-uses.drv"))
        .unwrap();
    let whole = golden(&name);
    for length in 0..whole.len() {
        assert_eq!(
            Derivation::from_aterm_bytes(&whole[..length]),
            Err(ParserError::Incomplete),
            "{length}"
        );
    }
    let text = String::from_utf8(whole).unwrap();
    let cases = [
        (
            "Derive(",
            "Drive(",
            "expected `Derive(` at byte 0, found `Drive([(",
        ),
        (
            "[(\"out\",",
            "[(\"out\"",
            "expected `,` at byte 14, found `\"/nix/store/py4kc8j9ncrq…`",
        ),
        (
            "\",\"\",\"\")]",
            "\",\"\",\"00\")]",
            "its output `out` is hashed by ``, which",
        ),
        (
            "\",\"\",\"\")]",
            "\",\"sha256\",\"00\")]",
            "the hash `00` of its output `out` is not lower-case hex",
        ),
        (
            "(\"flat\",",
            "(\"builder\",",
            "the variable `builder` is named twice",
        ),
        (
            "[\"dev\",\"lib\"]",
            "[\"dev\",\"dev\"]",
            "an input's output `dev` is named twice",
        ),
        (
            "[\"dev\",\"lib\"]",
            "[]",
            "the derivation is not valid: it names no output of its input derivation",
        ),
        (
            "script.sh\"]",
            "script.sh\",\"/tmp/x\"]",
            "the derivation is not valid: its input `/tmp/x` is not a store path: ",
        ),
        (
            "[(\"out\",\"/nix",
            "[(\"out\",\"/gnu",
            "its output `out` is wrong: its path `/gnu/store/py4kc8j9",
        ),
    ];
    for (from, to, expected) in cases {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = said(&Derivation::from_aterm_bytes(changed.as_bytes()).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
    let more = format!("{text}\n");
    let error = Derivation::from_aterm_bytes(more.as_bytes()).unwrap_err();
    assert!(error.to_string().ends_with("but `\\n` follows"), "{error}");
    let latin = [&b"Derive([(\"\xff\""[..], text.as_bytes()].concat();
    let error = Derivation::from_aterm_bytes(&latin).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the derivation: an output's name that ends at byte 12 is not UTF-8"
    );
}

fn path(suffix: &'static str) -> impl Strategy<Value = StorePath<String>> {
    ("[a-z0-9+._?=-]{0,20}", any::<[u8; 20]>()).prop_map(move |(name, digest)| {
        StorePath::from_name_and_digest_fixed(&format!("x{name}{suffix}"), digest).unwrap()
    })
}

fn output_name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}".prop_filter("no output is called so", |name| name != "drv")
}

fn ca_hash() -> impl Strategy<Value = CAHash> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(|digest| CAHash::Flat(NixHash::Md5(digest))),
        any::<[u8; 20]>().prop_map(|digest| CAHash::Nar(NixHash::Sha1(digest))),
        any::<[u8; 32]>().prop_map(|digest| CAHash::Nar(NixHash::Sha256(digest))),
        any::<[u8; 64]>().prop_map(|digest| CAHash::Flat(NixHash::Sha512(Box::new(digest)))),
    ]
}

fn outputs() -> impl Strategy<Value = BTreeMap<String, Output>> {
    let by_derivation = path("").prop_map(|path| Output {
        path: Some(path),
        ca_hash: None,
    });
    let fixed = (path(""), ca_hash()).prop_map(|(path, hash)| {
        BTreeMap::from([(
            "out".to_owned(),
            Output {
                path: Some(path),
                ca_hash: Some(hash),
            },
        )])
    });
    prop_oneof![btree_map(output_name(), by_derivation, 1..4), fixed]
}

fn derivation() -> impl Strategy<Value = Derivation> {
    (
        vec(any::<String>(), 0..4),
        "\\PC{1,20}",
        btree_map("\\PC{1,9}", vec(any::<u8>(), 0..40), 0..5),
        btree_map(path(".drv"), btree_set(output_name(), 1..4), 0..4),
        btree_set(path(""), 0..4),
        outputs(),
    )
        .prop_map(
            |(arguments, builder, environment, input_derivations, input_sources, outputs)| Derivation {
                arguments,
                system: builder.clone(),
                builder,
                environment: environment
                    .into_iter()
                    .map(|(key, value)| (key, value.into()))
                    .collect(),
                input_derivations,
                input_sources,
                outputs,
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(derivation in derivation()) {
        let text = derivation.to_aterm_bytes();
        prop_assert_eq!(Derivation::from_aterm_bytes(&text), Ok(derivation));
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_derivation(derivation in derivation(), at: proptest::sample::Index, to: u8) {
        let mut text = derivation.to_aterm_bytes();
        let at = at.index(text.len());
        prop_assume!(text[at] != to);
        text[at] = to;
        if let Ok(read) = Derivation::from_aterm_bytes(&text) {
            prop_assert_ne!(&read, &derivation);
            let again = read.to_aterm_bytes();
            prop_assert_eq!(Derivation::from_aterm_bytes(&again), Ok(read));
        }
    }

    #[test]
    fn the_hash_depends_on_each_input_but_not_on_how_a_fixed_one_is_fetched(
        derivation in derivation(), output in output_name(), input in path(".drv"),
    ) {
        let lookup = |path: &nix_compat::store_path::StorePathRef| path.digest().repeat(2)[..32].try_into().unwrap();
        let before = derivation.hash_derivation_modulo(lookup);
        let mut more = derivation.clone();
        more.input_derivations.insert(input, BTreeSet::from([output]));
        prop_assert_eq!(derivation.fod_digest().is_some(), before == more.hash_derivation_modulo(lookup));
    }
}
