//! Public keys as in `trusted-public-keys`: `<key name>:<base 64 of 32 bytes>`.

use std::fmt;

use data_encoding::BASE64;
use ed25519_dalek::PUBLIC_KEY_LENGTH;

use super::key_name::{self, Malformed};
use super::{Signature, SignatureRef};

/// A named ed25519 key that signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    verifying_key: ed25519_dalek::VerifyingKey,
}

/// Why a text is no public key.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Error {
    #[error("`{0}` can't be the name of a key")]
    InvalidName(String),
    #[error("no `:` between name and key")]
    MissingSeparator,
    #[error("a public key has 32 bytes, this one {0}")]
    InvalidVerifyingKeyLen(usize),
    #[error("not a point of the curve")]
    InvalidVerifyingKey(#[source] ed25519_dalek::SignatureError),
    #[error("`{0}` is not base 64")]
    DecodeError(String),
}

impl VerifyingKey {
    /// From its parts; the name is not checked.
    pub fn new(name: String, verifying_key: ed25519_dalek::VerifyingKey) -> Self {
        Self { name, verifying_key }
    }

    /// Reads `<key name>:<base 64>`.
    pub fn parse(input: &str) -> Result<Self, Error> {
        let (name, bytes) = key_name::split(input).map_err(|malformed| match malformed {
            Malformed::Separator => Error::MissingSeparator,
            Malformed::Name(name) => Error::InvalidName(name.to_owned()),
            Malformed::Bytes(bytes) => Error::DecodeError(bytes.to_owned()),
        })?;
        let wrong = |bytes: Vec<u8>| Error::InvalidVerifyingKeyLen(bytes.len());
        let bytes: [u8; PUBLIC_KEY_LENGTH] = bytes.try_into().map_err(wrong)?;
        let verifying_key =
            ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(Error::InvalidVerifyingKey)?;
        Ok(Self::new(name.to_owned(), verifying_key))
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the signature names this key and was made by it.
    pub fn verify(&self, fingerprint: &str, signature: &SignatureRef<'_>) -> bool {
        *signature.name() == self.name && signature.verify(fingerprint.as_bytes(), &self.verifying_key)
    }

    /// Whether this key signed the bytes, as strictly as [`verify`](Self::verify); `signature` has 64 bytes.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        signature
            .try_into()
            .is_ok_and(|bytes| Signature::new(self.name(), bytes).verify(message, &self.verifying_key))
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.name,
            BASE64.encode_display(self.verifying_key.as_bytes())
        )
    }
}
