//! Content addresses: what a store path that is named after its content was made from.
//!
//! `text:sha256:…` is a file with references, `fixed:<algo>:…` a file, `fixed:r:<algo>:…` a tree as NAR. Git trees
//! (`fixed:git:…`), which Nix has as an experiment, are not read.

use std::borrow::Cow;

use super::{NixHash, from_digits};

/// A digest and what it is a digest of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CAHash {
    /// The bytes of one file.
    Flat(NixHash),
    /// The NAR of a tree.
    Nar(NixHash),
    /// The SHA-256 of one file that may refer to other store paths, such as a derivation.
    Text([u8; 32]),
}

/// What a [`CAHash`] is a digest of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(missing_docs, reason = "said at `CAHash`")]
pub enum HashMode {
    Flat,
    Nar,
    Text,
}

impl CAHash {
    /// The digest alone.
    pub fn hash(&self) -> Cow<'_, NixHash> {
        match self {
            Self::Flat(hash) | Self::Nar(hash) => Cow::Borrowed(hash),
            Self::Text(digest) => Cow::Owned(NixHash::Sha256(*digest)),
        }
    }

    /// What it is a digest of.
    pub fn mode(&self) -> HashMode {
        match self {
            Self::Flat(_) => HashMode::Flat,
            Self::Nar(_) => HashMode::Nar,
            Self::Text(_) => HashMode::Text,
        }
    }

    /// Reads `text:sha256:…`, `fixed:r:<algo>:…`, `fixed:<algo>:…`, in any digits that Nix reads there.
    pub fn from_nix_hex_str(s: &str) -> Option<Self> {
        let (mode, rest) = match s.split_once(':')? {
            ("text", rest) => (HashMode::Text, rest),
            ("fixed", rest) => match rest.strip_prefix("r:") {
                Some(rest) => (HashMode::Nar, rest),
                None => (HashMode::Flat, rest),
            },
            _ => return None,
        };
        let (algo, digits) = rest.split_once(':')?;
        Self::from_mode_and_hash(mode, from_digits(algo.try_into().ok()?, digits).ok()?)
    }

    /// `fixed:r:sha256:<nixbase32>` and so on.
    pub fn to_nix_nixbase32_string(&self) -> String {
        format!("{}{}", self.mode().prefix(), self.hash().to_nix_nixbase32())
    }

    /// `None` for a text whose hash is not SHA-256.
    pub(crate) fn from_mode_and_hash(mode: HashMode, hash: NixHash) -> Option<Self> {
        match (mode, hash) {
            (HashMode::Flat, hash) => Some(Self::Flat(hash)),
            (HashMode::Nar, hash) => Some(Self::Nar(hash)),
            (HashMode::Text, NixHash::Sha256(digest)) => Some(Self::Text(digest)),
            (HashMode::Text, _) => None,
        }
    }

    /// `r:sha256`: mode and algorithm in one word, as ATerm and JSON have it.
    #[cfg(feature = "serde")]
    pub(crate) fn algo_with_mode(&self) -> String {
        let algo = self.hash().algo();
        match self {
            Self::Flat(_) => algo.to_string(),
            Self::Nar(_) => format!("r:{algo}"),
            Self::Text(_) => format!("text:{algo}"),
        }
    }

    /// The reverse of [`Self::algo_with_mode`].
    #[cfg(feature = "serde")]
    pub(crate) fn parse_algo_with_mode(word: &str) -> Option<(HashMode, super::HashAlgo)> {
        let (mode, algo) = match word.split_once(':') {
            None => (HashMode::Flat, word),
            Some(("r", algo)) => (HashMode::Nar, algo),
            Some(("text", algo)) => (HashMode::Text, algo),
            Some(_) => return None,
        };
        Some((mode, algo.parse().ok()?))
    }
}

impl HashMode {
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Flat => "fixed:",
            Self::Nar => "fixed:r:",
            Self::Text => "text:",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_content_address_is_refused() {
        for text in [
            "",
            "fixed",
            "fixed:",
            "fixed:r:",
            "text:md5:3y8bwfr609h3lh9ch0izcqq7fl",
            "text:r:sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
            "fixed:git:sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "fixed:r:sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        ] {
            assert_eq!(CAHash::from_nix_hex_str(text), None, "{text}");
        }
    }
}
