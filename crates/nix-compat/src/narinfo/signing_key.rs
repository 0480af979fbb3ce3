//! Secret keys as in `secret-key-files`: `<key name>:<base 64 of 64 bytes>`, the secret half first.

use ed25519::signature::Signer;
use ed25519_dalek::KEYPAIR_LENGTH;

use super::key_name::{self, Malformed};
use super::{Signature, SignatureRef, VerifyingKey};

/// A named key, or whatever signs in its place. Not printable.
pub struct SigningKey<S = ed25519_dalek::SigningKey> {
    name: String,
    signing_key: S,
}

/// Why a text is no secret key. No message repeats the secret: what is not base 64 is left out.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Error {
    #[error("`{0}` can't be the name of a key")]
    InvalidName(String),
    #[error("no `:` between name and key")]
    MissingSeparator,
    #[error("a secret key has 64 bytes, this one {0}")]
    InvalidSigningKeyLen(usize),
    #[error("the key `{0}` is not base 64")]
    DecodeError(String),
    #[error("the public half is not that of the secret half")]
    InvalidVerifyingKey(#[source] ed25519_dalek::SignatureError),
}

impl<S> SigningKey<S>
where
    S: Signer<ed25519::Signature>,
{
    /// From its parts; the name is not checked.
    pub fn new(name: String, signing_key: S) -> Self {
        Self { name, signing_key }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Signs bytes that have any form, such as a fingerprint.
    pub fn sign(&self, fingerprint: &[u8]) -> SignatureRef<'_> {
        Signature::new(&self.name, self.signing_key.sign(fingerprint).to_bytes())
    }
}

/// Reads a secret key, and the public key that belongs to it.
pub fn parse_keypair(input: &str) -> Result<(SigningKey, VerifyingKey), Error> {
    let (name, bytes) = key_name::split(input).map_err(|malformed| match malformed {
        Malformed::Separator => Error::MissingSeparator,
        Malformed::Name(name) => Error::InvalidName(name.to_owned()),
        Malformed::Bytes(_) => Error::DecodeError(input.split(':').next().unwrap_or_default().to_owned()),
    })?;
    let wrong = |bytes: Vec<u8>| Error::InvalidSigningKeyLen(bytes.len());
    let bytes: [u8; KEYPAIR_LENGTH] = bytes.try_into().map_err(wrong)?;
    let signing_key =
        ed25519_dalek::SigningKey::from_keypair_bytes(&bytes).map_err(Error::InvalidVerifyingKey)?;
    let verifying_key = VerifyingKey::new(name.to_owned(), signing_key.verifying_key());
    Ok((SigningKey::new(name.to_owned(), signing_key), verifying_key))
}
