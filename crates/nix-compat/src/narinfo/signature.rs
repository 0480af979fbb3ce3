//! Signatures: `<key name>:<base 64 of 64 bytes>`.

use std::fmt;
use std::ops::Deref;

use data_encoding::BASE64;
use ed25519::SignatureBytes;

use super::key_name::{self, Malformed};

/// An ed25519 signature and the name of the key that is said to have made it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature<S> {
    name: S,
    bytes: SignatureBytes,
}

/// A signature whose name is borrowed.
pub type SignatureRef<'a> = Signature<&'a str>;

/// Why a text is no signature.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Error {
    #[error("`{0}` can't be the name of a key")]
    InvalidName(String),
    #[error("no `:` between key name and signature")]
    MissingSeparator,
    #[error("a signature has 64 bytes, this one {0}")]
    InvalidSignatureLen(usize),
    #[error("`{0}` is not base 64")]
    DecodeError(String),
}

impl<S: Deref<Target = str>> Signature<S> {
    /// From its parts, which are not checked.
    pub fn new(name: S, bytes: SignatureBytes) -> Self {
        Self { name, bytes }
    }

    /// Reads `<key name>:<base 64>`.
    pub fn parse<'a>(input: &'a str) -> Result<Self, Error>
    where
        S: From<&'a str>,
    {
        let (name, bytes) = key_name::split(input).map_err(|malformed| match malformed {
            Malformed::Separator => Error::MissingSeparator,
            Malformed::Name(name) => Error::InvalidName(name.to_owned()),
            Malformed::Bytes(bytes) => Error::DecodeError(bytes.to_owned()),
        })?;
        let bytes = bytes
            .try_into()
            .map_err(|bytes: Vec<u8>| Error::InvalidSignatureLen(bytes.len()))?;
        Ok(Self {
            name: name.into(),
            bytes,
        })
    }

    /// The name of the key.
    pub fn name(&self) -> &S {
        &self.name
    }

    /// The signature itself.
    pub fn bytes(&self) -> &SignatureBytes {
        &self.bytes
    }

    /// Whether this key signed the fingerprint; the name is not looked at.
    pub fn verify(&self, fingerprint: &[u8], verifying_key: &ed25519_dalek::VerifyingKey) -> bool {
        // Strict, as libsodium and so Nix: no keys that fit any message.
        verifying_key
            .verify_strict(fingerprint, &ed25519::Signature::from_bytes(&self.bytes))
            .is_ok()
    }

    /// The same signature, with its name borrowed.
    pub fn as_ref(&self) -> SignatureRef<'_> {
        Signature {
            name: &self.name,
            bytes: self.bytes,
        }
    }

    /// The same signature, with a name of its own.
    pub fn to_owned(&self) -> Signature<String> {
        Signature {
            name: self.name.to_string(),
            bytes: self.bytes,
        }
    }
}

impl<S: Deref<Target = str>> fmt::Display for Signature<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", &*self.name, BASE64.encode_display(&self.bytes))
    }
}
