//! Narinfo files, keys and signatures as Nix makes and reads them.

use std::collections::BTreeMap;

use nix_compat::narinfo::{
    Error, Flags, NarInfo, Signature, SignatureError, SignatureRef, SigningKey, SigningKeyError,
    VerifyingKey, VerifyingKeyError, parse_keypair,
};
use nix_compat::nixhash::{CAHash, NixHash};
use nix_compat::store_path::StorePath;
use serde_json::Value;

use crate::kit::{golden, golden_text, rows};

fn keys() -> Vec<(SigningKey<ed25519_dalek::SigningKey>, VerifyingKey)> {
    let keys = rows("keys.tsv").into_iter().map(|[secret, public]| {
        let (signing, verifying) = parse_keypair(&secret).unwrap();
        assert_eq!(verifying.to_string(), public);
        assert_eq!(VerifyingKey::parse(&public).unwrap(), verifying);
        assert_eq!(signing.name(), verifying.name());
        (signing, verifying)
    });
    keys.collect()
}

/// What Nix says of a path against what the file says.
fn agrees(info: &NarInfo<'_>, said: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(
        NixHash::Sha256(info.nar_hash).to_sri_string(),
        text(&said["narHash"])
    );
    assert_eq!(Some(info.nar_size), said["narSize"].as_u64());
    let mut references: Vec<String> = info.references.iter().map(StorePath::to_absolute_path).collect();
    references.sort();
    references.dedup();
    assert_eq!(Value::from(references), said["references"]);
    assert_eq!(
        info.ca.as_ref().map(CAHash::to_nix_nixbase32_string),
        said["ca"].as_str().map(ToOwned::to_owned)
    );
    let deriver = info
        .deriver
        .as_ref()
        .map(|path| format!("{}.drv", path.to_absolute_path()));
    assert_eq!(deriver, said["deriver"].as_str().map(ToOwned::to_owned));
    let mut signatures: Vec<String> = info.signatures.iter().map(ToString::to_string).collect();
    signatures.sort();
    signatures.dedup();
    assert_eq!(Value::from(signatures), said["signatures"]);
}

#[test]
fn files_of_nix_are_read_checked_and_written_the_same() {
    let said: Value = serde_json::from_str(&golden_text("path-info.json")).unwrap();
    let keys = keys();
    let mut signatures = 0;
    for compression in ["none", "xz"] {
        for file in std::fs::read_dir(golden("narinfo").join(compression)).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let info = NarInfo::parse(&text).unwrap();
            assert_eq!(info.to_string(), text);
            assert_eq!(info.flags, Flags::empty());
            assert_eq!(info.compression.unwrap_or("none"), compression);
            agrees(&info, &said[info.store_path.to_absolute_path()]);
            assert_eq!(compression == "none", info.file_hash == Some(info.nar_hash));
            let mut unsigned = NarInfo {
                signatures: Vec::new(),
                ..NarInfo::parse(&text).unwrap()
            };
            for (signing, verifying) in &keys {
                let theirs = info
                    .signatures
                    .iter()
                    .filter(|signature| *signature.name() == verifying.name());
                for signature in theirs {
                    assert!(verifying.verify(&info.fingerprint(), signature));
                    assert!(!verifying.verify(&format!("{} ", info.fingerprint()), signature));
                    signatures += 1;
                }
                unsigned.add_signature(signing);
            }
            if !info.signatures.is_empty() {
                assert_eq!(
                    unsigned.signatures, info.signatures,
                    "ed25519 signs the same the same way"
                );
            }
        }
    }
    assert!(signatures > 20, "{signatures}");
}

/// Forms that Nix takes and we refuse: each field once, signatures and hashes that can be used, no empty values.
const STRICTER: [&str; 14] = [
    "ca-empty",
    "ca-text-md5",
    "compression-empty",
    "deriver-twice",
    "deriver-without-suffix",
    "file-hash-md5",
    "hash-md5",
    "hash-twice",
    "signature-short",
    "signature-without-name",
    "size-signed",
    "size-twice",
    "store-path-twice",
    "url-twice",
];

/// Forms that Nix refuses and we take: what a server or an editor may do to line ends.
const LAXER: [&str; 2] = ["crlf", "references-without-space"];

#[test]
fn odd_files_are_taken_as_nix_takes_them() {
    let (mut stricter, mut laxer) = (Vec::new(), Vec::new());
    for [name, said] in rows("odd.tsv") {
        let text = golden_text(&format!("odd/{name}.narinfo"));
        match (NarInfo::parse(&text), said.as_str()) {
            (Err(_), "refused") => {}
            (Ok(_), "refused") => laxer.push(name),
            (Err(_), _) => stricter.push(name),
            (Ok(info), said) => {
                let said: Value = serde_json::from_str(said).unwrap();
                agrees(&info, &said[info.store_path.to_absolute_path()]);
            }
        }
    }
    stricter.sort();
    laxer.sort();
    assert_eq!(
        (stricter, laxer),
        (
            STRICTER.map(str::to_owned).to_vec(),
            LAXER.map(str::to_owned).to_vec()
        )
    );
}

#[test]
fn oddities_are_flagged_and_faults_are_named() {
    let read = |name: &str| {
        let text = golden_text(&format!("odd/{name}.narinfo"));
        NarInfo::parse(&text)
            .map(|info| info.flags)
            .map_err(|error| format!("{error:?}"))
    };
    let flags = BTreeMap::from([
        ("plain", Flags::empty()),
        ("crlf", Flags::empty()),
        ("unknown-field", Flags::UNKNOWN_FIELD),
        ("compression-missing", Flags::COMPRESSION_DEFAULT),
        ("references-out-of-order", Flags::REFERENCES_OUT_OF_ORDER),
        ("references-repeated", Flags::REFERENCES_OUT_OF_ORDER),
        ("hash-hex", Flags::NAR_HASH_HEX),
        ("deriver-unknown", Flags::EXPLICIT_UNKNOWN_DERIVER),
        ("references-missing", Flags::REFERENCES_MISSING),
        ("references-empty", Flags::empty()),
        ("system", Flags::empty()),
    ]);
    for (name, flags) in flags {
        assert_eq!(read(name), Ok(flags), "{name}");
    }
    let faults = [
        ("hash-twice", r#"DuplicateField("NarHash")"#),
        ("url-missing", r#"MissingField("URL")"#),
        ("blank-line", r#"InvalidLine("")"#),
        ("without-colon", r#"InvalidLine("hello")"#),
        ("store-path-elsewhere", "InvalidStorePath(MissingStoreDir)"),
        ("url-empty", r#"EmptyField("URL")"#),
        ("size-signed", r#"UnableToParseSize("NarSize", "+120")"#),
        ("references-absolute", "InvalidReference(0, InvalidHashEncoding("),
        ("deriver-without-suffix", "InvalidDeriverStorePathMissingSuffix"),
        ("hash-bare", r#"MissingPrefixForHash("NarHash")"#),
        ("hash-md5", r#"MissingPrefixForHash("NarHash")"#),
        (
            "signature-short",
            "UnableToParseSignature(0, InvalidSignatureLen(3))",
        ),
        ("ca-git", r#"UnableToParseCA("fixed:git:sha1:"#),
        ("nothing", r#"MissingField("NarHash")"#),
    ];
    for (name, fault) in faults {
        let error = read(name).unwrap_err();
        assert!(error.starts_with(fault), "{name}: {error}");
    }
    let plain = golden_text("odd/plain.narinfo");
    let wrong = |from: &str, to: &str| NarInfo::parse(&plain.replace(from, to)).unwrap_err();
    assert!(matches!(
        wrong("NarHash: sha256:1", "NarHash: sha256:"),
        Error::UnableToDecodeHash("NarHash", _)
    ));
    assert!(matches!(
        wrong("Deriver: 1", "Deriver: "),
        Error::InvalidDeriverStorePath(_)
    ));
}

#[test]
fn a_signature_is_of_one_key_and_one_text() {
    let keys = keys();
    let ((first, first_key), (_, second_key)) = (&keys[0], &keys[1]);
    let text = golden_text("odd/plain.narinfo");
    let mut info = NarInfo::parse(&text).unwrap();
    info.add_signature(first);
    let (signature, fingerprint) = (info.signatures.pop().unwrap(), info.fingerprint());
    assert!(first_key.verify(&fingerprint, &signature));
    assert!(!second_key.verify(&fingerprint, &signature));
    let renamed: SignatureRef<'_> = Signature::new(second_key.name(), *signature.bytes());
    assert!(!first_key.verify(&fingerprint, &renamed), "the name counts");
    assert!(!second_key.verify(&fingerprint, &renamed), "the name is not all");
    for position in 0..64 {
        let mut bytes = *signature.bytes();
        bytes[position] ^= 1;
        assert!(!first_key.verify(&fingerprint, &Signature::new(first_key.name(), bytes)));
    }
    // The neutral element as key and as R would fit any text with S = 0.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let weak = VerifyingKey::new(
        "weak".into(),
        ed25519_dalek::VerifyingKey::from_bytes(&neutral).unwrap(),
    );
    let mut bytes = [0; 64];
    bytes[0] = 1;
    assert!(!weak.verify(&fingerprint, &Signature::new("weak", bytes)));
    info.references.reverse();
    assert_eq!(info.fingerprint(), fingerprint);
}

#[test]
fn texts_that_are_no_keys_or_signatures_are_refused() {
    let signature = |text: &str| SignatureRef::parse(text).unwrap_err();
    assert!(matches!(signature("name"), SignatureError::MissingSeparator));
    assert!(matches!(signature(":AAAA"), SignatureError::InvalidName(name) if name.is_empty()));
    assert!(matches!(signature("a\nb:AAAA"), SignatureError::InvalidName(_)));
    assert!(matches!(
        signature("name:AAAA"),
        SignatureError::InvalidSignatureLen(3)
    ));
    assert!(matches!(signature("name:?"), SignatureError::DecodeError(text) if text == "?"));
    let key = |text: &str| VerifyingKey::parse(text).unwrap_err();
    assert!(matches!(key("name"), VerifyingKeyError::MissingSeparator));
    assert!(matches!(key(":AAAA"), VerifyingKeyError::InvalidName(_)));
    assert!(matches!(
        key("name:AAAA"),
        VerifyingKeyError::InvalidVerifyingKeyLen(3)
    ));
    assert!(matches!(key("name:?"), VerifyingKeyError::DecodeError(_)));
    let no_point = format!("name:{}", data_encoding::BASE64.encode(&[2; 32]));
    assert!(matches!(
        key(&no_point),
        VerifyingKeyError::InvalidVerifyingKey(_)
    ));
    let secret = |text: &str| parse_keypair(text).err().unwrap();
    assert!(matches!(secret("name"), SigningKeyError::MissingSeparator));
    assert!(matches!(secret(":AAAA"), SigningKeyError::InvalidName(_)));
    assert!(matches!(
        secret("name:AAAA"),
        SigningKeyError::InvalidSigningKeyLen(3)
    ));
    let [text, _] = &rows("keys.tsv")[0];
    let halves = secret(
        &text
            .replace("==", "")
            .chars()
            .rev()
            .collect::<String>()
            .replacen(':', "", 1),
    );
    assert!(!format!("{halves:?}").contains(&text[20..40]), "{halves:?}");
    let zeros = format!("name:{}", data_encoding::BASE64.encode(&[0; 64]));
    assert!(matches!(secret(&zeros), SigningKeyError::InvalidVerifyingKey(_)));
    let typo = secret(&format!("{}?", text.trim_end_matches('=')));
    assert!(
        matches!(&typo, SigningKeyError::DecodeError(name) if name == "golden-1"),
        "{typo:?}"
    );
}
