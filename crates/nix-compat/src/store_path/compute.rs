//! Computes store paths from what they hold.
//!
//! ```text
//! fingerprint = type ":sha256:" hex(inner digest) ":/nix/store:" name
//! digest      = sha256(fingerprint) folded to 20 bytes
//! type        = "text" *(":" reference)                          inner: sha256 of the text
//!             | "source" *(":" reference) [":self"]              inner: sha256 of the NAR
//!             | "output:out"                                     inner: sha256("fixed:out:" ["r:"] algo ":" hex ":")
//!             | "output:" output                                 inner: the derivation's
//! ```
//! References are absolute and sorted. Source: what Nix computes for `nix store add` and
//! `nix store make-content-addressed` (tests/goldens).

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{DIGEST_SIZE, Error, STORE_DIR, StorePath};
use crate::nixbase32;
use crate::nixhash::{CAHash, NixHash};

/// Why a store path can't be computed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildStorePathError {
    /// The name is one that no store path may have.
    #[error("no store path can have that name")]
    InvalidStorePath(#[source] Error),
    /// Flat files and hashes other than SHA-256 allow no references, texts none to themselves.
    #[error("references are not allowed for this kind of content address")]
    InvalidReference(),
}

/// Folds a digest to fewer bytes: byte `i` is XORed into byte `i % OUTPUT_SIZE`.
pub fn compress_hash<const OUTPUT_SIZE: usize>(input: &[u8]) -> [u8; OUTPUT_SIZE] {
    let mut output = [0; OUTPUT_SIZE];
    for chunk in input.chunks(OUTPUT_SIZE.max(1)) {
        for (folded, byte) in output.iter_mut().zip(chunk) {
            *folded ^= byte;
        }
    }
    output
}

/// The path of a text, such as `builtins.toFile` or a derivation makes it. References are absolute paths.
pub fn build_text_path<'a, S, SP, I, C>(
    name: &'a str,
    content: C,
    references: I,
) -> Result<StorePath<SP>, BuildStorePathError>
where
    S: AsRef<str>,
    SP: AsRef<str> + From<&'a str>,
    I: IntoIterator<Item = S>,
    C: AsRef<[u8]>,
{
    let text = CAHash::Text(Sha256::digest(content).into());
    build_ca_path(name, &text, references, false)
}

/// The path of anything that is named after its content. References are absolute paths, without the path itself:
/// that is `self_reference`, for which the content was hashed with its own digest blanked out.
pub fn build_ca_path<'a, S, SP, I>(
    name: &'a str,
    ca_hash: &CAHash,
    references: I,
    self_reference: bool,
) -> Result<StorePath<SP>, BuildStorePathError>
where
    S: AsRef<str>,
    SP: AsRef<str> + From<&'a str>,
    I: IntoIterator<Item = S>,
{
    let references: Vec<S> = references.into_iter().collect();
    let sorted: BTreeSet<&str> = references.iter().map(AsRef::as_ref).collect();
    let (kind, inner) = match ca_hash {
        CAHash::Text(digest) if !self_reference => (with_references("text", &sorted), *digest),
        CAHash::Nar(NixHash::Sha256(digest)) => {
            let kind = with_references("source", &sorted);
            (if self_reference { kind + ":self" } else { kind }, *digest)
        }
        CAHash::Flat(hash) if sorted.is_empty() && !self_reference => {
            ("output:out".to_owned(), fixed("", hash))
        }
        CAHash::Nar(hash) if sorted.is_empty() && !self_reference => {
            ("output:out".to_owned(), fixed("r:", hash))
        }
        CAHash::Text(_) | CAHash::Flat(_) | CAHash::Nar(_) => {
            return Err(BuildStorePathError::InvalidReference());
        }
    };
    from_fingerprint(&kind, &inner, name).map_err(BuildStorePathError::InvalidStorePath)
}

/// The path of an output, from the hash of its derivation modulo fixed outputs. `output_path_name` is the whole
/// name, `hello-dev` for output `dev` of `hello`.
pub fn build_output_path<'a, SP>(
    drv_sha256: &[u8; 32],
    output_name: &str,
    output_path_name: &'a str,
) -> Result<StorePath<SP>, Error>
where
    SP: AsRef<str> + From<&'a str>,
{
    from_fingerprint(&format!("output:{output_name}"), drv_sha256, output_path_name)
}

/// What stands for an output's path while that is not known.
pub fn hash_placeholder(name: &str) -> String {
    let digest = Sha256::digest(format!("nix-output:{name}"));
    format!("/{}", nixbase32::encode(&digest))
}

fn with_references(kind: &str, references: &BTreeSet<&str>) -> String {
    references
        .iter()
        .fold(kind.to_owned(), |kind, reference| kind + ":" + reference)
}

fn fixed(prefix: &str, hash: &NixHash) -> [u8; 32] {
    Sha256::digest(format!("fixed:out:{prefix}{}:", hash.to_nix_lowerhex_string())).into()
}

fn from_fingerprint<'a, SP>(kind: &str, inner: &[u8; 32], name: &'a str) -> Result<StorePath<SP>, Error>
where
    SP: AsRef<str> + From<&'a str>,
{
    let mut hasher = Sha256::new();
    hasher.update(kind);
    hasher.update(format!(
        ":sha256:{}:{STORE_DIR}:{name}",
        HEXLOWER.encode_display(inner)
    ));
    let digest: [u8; DIGEST_SIZE] = compress_hash(&hasher.finalize());
    StorePath::from_name_and_digest_fixed(name, digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_path::StorePathRef;

    #[test]
    fn references_are_for_trees_and_texts_only() {
        let build = |hash: &CAHash, references: &[&str], own| {
            build_ca_path::<_, &str, _>("x", hash, references, own)
                .map(|path: StorePathRef<'_>| path.to_string())
        };
        let (sha256, sha1) = (NixHash::Sha256([1; 32]), NixHash::Sha1([1; 20]));
        let refused = Err(BuildStorePathError::InvalidReference());
        for hash in [CAHash::Flat(sha256.clone()), CAHash::Nar(sha1)] {
            assert!(build(&hash, &[], false).is_ok());
            assert_eq!(build(&hash, &["/nix/store/a"], false), refused);
            assert_eq!(build(&hash, &[], true), refused);
        }
        assert_eq!(build(&CAHash::Text([1; 32]), &[], true), refused);
        let tree = CAHash::Nar(sha256);
        assert_ne!(build(&tree, &[], true), build(&tree, &[], false));
        assert_eq!(
            build(&tree, &["b", "a", "b"], false),
            build(&tree, &["a", "b"], false)
        );
    }

    #[test]
    fn a_bad_name_is_said() {
        let built: Result<StorePathRef<'_>, _> = build_text_path("a b", "", [""; 0]);
        let bad = Error::InvalidName(b"a b".into(), 1);
        assert_eq!(built, Err(BuildStorePathError::InvalidStorePath(bad)));
    }

    #[test]
    fn folds_and_placeholders_have_known_values() {
        assert_eq!(compress_hash::<2>(&[1, 2, 4, 8, 16]), [1 ^ 4 ^ 16, 2 ^ 8]);
        assert_eq!(compress_hash::<0>(&[1]), [0u8; 0]);
        assert_eq!(
            hash_placeholder("out"),
            "/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9"
        );
    }
}
