//! `.narinfo` files: what a binary cache says of a store path, and who signed it.
//!
//! Lines of `Name: value`. `StorePath`, `URL`, `NarHash` and `NarSize` must be there; `Sig` may come several times.
//! What is signed is not the file but its [fingerprint](NarInfo::fingerprint). Source: what `nix copy --to file://…`
//! writes and reads (tests/goldens; `STRICTER` and `LAXER` in tests/it/narinfo.rs list each form in which the two
//! differ). Not here: fetching the file (`nix_http` has its name), opening the archive.

mod fingerprint;
mod key_name;
mod parse;
#[cfg(feature = "serde")]
mod serde;
mod signature;
mod signing_key;
mod verifying_key;

use std::fmt;

use bitflags::bitflags;
use data_encoding::DecodeError;

pub use fingerprint::fingerprint;
pub use signature::{Error as SignatureError, Signature, SignatureRef};
pub use signing_key::{Error as SigningKeyError, SigningKey, parse_keypair};
pub use verifying_key::{Error as VerifyingKeyError, VerifyingKey};

use crate::nixhash::{CAHash, NixHash};
use crate::store_path::{self, StorePathRef};

/// One `.narinfo` file, its text borrowed.
#[derive(Debug)]
pub struct NarInfo<'a> {
    /// What was odd about the text.
    pub flags: Flags,
    /// `StorePath`: what the archive unpacks to.
    pub store_path: StorePathRef<'a>,
    /// `NarHash`: SHA-256 of the archive, uncompressed.
    pub nar_hash: [u8; 32],
    /// `NarSize`: bytes of the archive, uncompressed.
    pub nar_size: u64,
    /// `References`: what the path needs, itself among it.
    pub references: Vec<StorePathRef<'a>>,
    /// `Sig`, each.
    pub signatures: Vec<SignatureRef<'a>>,
    /// `CA`: for a path that is named after its content.
    pub ca: Option<CAHash>,
    /// `System`: an old field, such as `x86_64-linux`.
    pub system: Option<&'a str>,
    /// `Deriver`: the derivation that made the path, without its `.drv`.
    pub deriver: Option<StorePathRef<'a>>,
    /// `URL`: where the archive is, relative to the cache.
    pub url: &'a str,
    /// `Compression`, where `none` is `None`.
    pub compression: Option<&'a str>,
    /// `FileHash`: SHA-256 of the archive as it lies at `url`.
    pub file_hash: Option<[u8; 32]>,
    /// `FileSize`: bytes of the archive as it lies at `url`.
    pub file_size: Option<u64>,
}

bitflags! {
    /// Allowed, but not as Nix writes it today.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u8 {
        /// A field that is not known here; its value is lost.
        const UNKNOWN_FIELD = 1 << 0;
        /// No `Compression`, which means `bzip2`.
        const COMPRESSION_DEFAULT = 1 << 1;
        /// `References` not strictly ascending.
        const REFERENCES_OUT_OF_ORDER = 1 << 2;
        /// `NarHash` in hexadecimal.
        const NAR_HASH_HEX = 1 << 3;
        /// `Deriver: unknown-deriver`.
        const EXPLICIT_UNKNOWN_DERIVER = 1 << 4;
        /// No `References`, which means none.
        const REFERENCES_MISSING = 1 << 5;
    }
}

/// Why a text is no `.narinfo` file. A `&'static str` is the name of the field; positions count from 0.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Error {
    #[error("`{0}` is there twice")]
    DuplicateField(&'static str),
    #[error("`{0}` is missing")]
    MissingField(&'static str),
    #[error("line `{0}` is not of the form `Name: value`")]
    InvalidLine(String),
    #[error("invalid `StorePath`")]
    InvalidStorePath(#[source] store_path::Error),
    #[error("`{0}` is empty")]
    EmptyField(&'static str),
    #[error("`{0}: {1}` is not a number of bytes")]
    UnableToParseSize(&'static str, String),
    #[error("invalid store path {0} of `References`")]
    InvalidReference(usize, #[source] store_path::Error),
    #[error("invalid `Deriver`")]
    InvalidDeriverStorePath(#[source] store_path::Error),
    #[error("`Deriver` does not end in `.drv`")]
    InvalidDeriverStorePathMissingSuffix,
    #[error("`{0}` does not begin with `sha256:`")]
    MissingPrefixForHash(&'static str),
    #[error("invalid digest in `{0}`")]
    UnableToDecodeHash(&'static str, #[source] DecodeError),
    #[error("invalid `Sig` {0}")]
    UnableToParseSignature(usize, #[source] SignatureError),
    #[error("`CA: {0}` is not a content address known here")]
    UnableToParseCA(String),
}

impl<'a> NarInfo<'a> {
    /// Reads a file's text.
    pub fn parse(input: &'a str) -> Result<Self, Error> {
        parse::parse(input)
    }

    /// What signatures are made over, see [`fingerprint()`].
    pub fn fingerprint(&self) -> String {
        fingerprint(
            &self.store_path,
            &self.nar_hash,
            self.nar_size,
            self.references.iter(),
        )
    }

    /// Signs the fingerprint and appends the signature; others stay.
    pub fn add_signature<S>(&mut self, signer: &'a SigningKey<S>)
    where
        S: ed25519::signature::Signer<ed25519::Signature>,
    {
        self.signatures.push(signer.sign(self.fingerprint().as_bytes()));
    }
}

/// Writes the file as Nix does, whatever the notation that was read.
impl fmt::Display for NarInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sha256 = |digest: &[u8; 32]| NixHash::Sha256(*digest).to_nix_nixbase32();
        writeln!(f, "StorePath: {}", self.store_path.to_absolute_path())?;
        writeln!(f, "URL: {}", self.url)?;
        writeln!(f, "Compression: {}", self.compression.unwrap_or("none"))?;
        if let Some(digest) = &self.file_hash {
            writeln!(f, "FileHash: {}", sha256(digest))?;
        }
        if let Some(size) = self.file_size {
            writeln!(f, "FileSize: {size}")?;
        }
        writeln!(f, "NarHash: {}", sha256(&self.nar_hash))?;
        writeln!(f, "NarSize: {}", self.nar_size)?;
        let references: Vec<String> = self.references.iter().map(ToString::to_string).collect();
        writeln!(f, "References: {}", references.join(" "))?;
        if let Some(deriver) = &self.deriver {
            writeln!(f, "Deriver: {deriver}.drv")?;
        }
        if let Some(system) = self.system {
            writeln!(f, "System: {system}")?;
        }
        for signature in &self.signatures {
            writeln!(f, "Sig: {signature}")?;
        }
        if let Some(ca) = &self.ca {
            writeln!(f, "CA: {}", ca.to_nix_nixbase32_string())?;
        }
        Ok(())
    }
}
