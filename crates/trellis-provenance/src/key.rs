//! Keys in Nix's form: a name, `:`, and base64 of the ed25519 key.
//!
//! `nix key generate-secret` makes a secret key (64 bytes: seed, then public key), and
//! `nix key convert-secret-to-public` its public one (32 bytes). `nix-compat` reads both.

use std::fmt;
use std::str::FromStr;

use nix_compat::narinfo::{self, SigningKeyError, VerifyingKey, VerifyingKeyError, parse_keypair};

/// A secret key. `Debug` never shows it.
pub struct SigningKey {
    key: narinfo::SigningKey,
    public: PublicKey,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text that is no key. It never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum KeyError {
    #[error("a key has the form `NAME:BASE64`")]
    Form,
    #[error("what follows the key's name is not base64")]
    Base64,
    #[error("the key has {found} bytes, {expected} are expected")]
    Length { found: usize, expected: usize },
    #[error("its bytes are not an ed25519 key")]
    NotAKey,
}

impl KeyError {
    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        "make a key with `nix key generate-secret --key-name NAME`, its public one with \
         `nix key convert-secret-to-public`"
    }
}

impl From<SigningKeyError> for KeyError {
    fn from(error: SigningKeyError) -> Self {
        match error {
            SigningKeyError::MissingSeparator | SigningKeyError::InvalidName(_) => Self::Form,
            SigningKeyError::DecodeError(_) => Self::Base64,
            SigningKeyError::InvalidSigningKeyLen(found) => Self::Length { found, expected: 64 },
            SigningKeyError::InvalidVerifyingKey(_) => Self::NotAKey,
        }
    }
}

impl From<VerifyingKeyError> for KeyError {
    fn from(error: VerifyingKeyError) -> Self {
        match error {
            VerifyingKeyError::MissingSeparator | VerifyingKeyError::InvalidName(_) => Self::Form,
            VerifyingKeyError::DecodeError(_) => Self::Base64,
            VerifyingKeyError::InvalidVerifyingKeyLen(found) => Self::Length { found, expected: 32 },
            VerifyingKeyError::InvalidVerifyingKey(_) => Self::NotAKey,
        }
    }
}

impl SigningKey {
    /// The name, which everybody may know.
    pub fn name(&self) -> &str {
        self.key.name()
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.key.sign(message).bytes()
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (key, public) = parse_keypair(text.trim())?;
        let public = PublicKey::named(public)?;
        Ok(Self { key, public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}:***)", self.name())
    }
}

impl PublicKey {
    /// The name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.has_signed(message, signature)
    }

    /// Nix takes any name; one that is shown beside a result is a short word.
    fn named(key: VerifyingKey) -> Result<Self, KeyError> {
        let name = key.name();
        if name.len() > 255 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Form);
        }
        Ok(Self(key))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::named(VerifyingKey::parse(text.trim())?)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
pub(crate) mod tests;
