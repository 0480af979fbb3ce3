//! Keys in Nix's form: a name, `:`, and base64 of the ed25519 key.
//!
//! `nix key generate-secret` makes a secret key (64 bytes: seed, then public key), and
//! `nix key convert-secret-to-public` its public one (32 bytes).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};

/// A secret key. `Debug` never shows it.
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

/// A text that is no key. It never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No name before a `:`.
    #[error("a key has the form `NAME:BASE64`")]
    Form,
    /// What comes after the name is not base64.
    #[error("what follows the key's name is not base64")]
    Base64,
    /// It has another length.
    #[error("the key has {found} bytes, {expected} are expected")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// Its bytes are no ed25519 key.
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

impl SigningKey {
    /// The name, which everybody may know.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, bytes) = parts(text)?;
        let key = ed25519_dalek::SigningKey::from_keypair_bytes(&bytes).map_err(|_| KeyError::NotAKey)?;
        Ok(Self { name, key })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}:***)", self.name)
    }
}

impl PublicKey {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        // Strict: no signature that a second message could share.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, bytes) = parts(text)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotAKey)?;
        Ok(Self { name, key })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, STANDARD.encode(self.key.as_bytes()))
    }
}

fn parts<const LENGTH: usize>(text: &str) -> Result<(String, [u8; LENGTH]), KeyError> {
    let (name, key) = text.trim().split_once(':').ok_or(KeyError::Form)?;
    let plain = |byte: u8| byte.is_ascii_graphic();
    if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
        return Err(KeyError::Form);
    }
    let bytes = STANDARD.decode(key).map_err(|_| KeyError::Base64)?;
    let found = bytes.len();
    let bytes = bytes.try_into().map_err(|_| KeyError::Length {
        found,
        expected: LENGTH,
    })?;
    Ok((name.to_owned(), bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A key made for the tests alone: the seed is 32 zeros.
    pub(crate) fn key(name: &str, seed: u8) -> SigningKey {
        let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        let text = format!("{name}:{}", STANDARD.encode(key.to_keypair_bytes()));
        text.parse().unwrap()
    }

    #[test]
    fn a_public_key_is_read_as_it_is_shown() {
        let public = key("studio-1", 0).public();
        assert_eq!(
            public.to_string(),
            "studio-1:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="
        );
        assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
    }

    #[test]
    fn a_secret_never_shows() {
        assert_eq!(format!("{:?}", key("studio-1", 0)), "SigningKey(studio-1:***)");
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let zeros = STANDARD.encode([0; 32]);
        for (text, expected) in [
            (zeros.clone(), KeyError::Form),
            (format!(":{zeros}"), KeyError::Form),
            ("name:***".to_owned(), KeyError::Base64),
            (
                format!("name:{zeros}"),
                KeyError::Length {
                    found: 32,
                    expected: 64,
                },
            ),
            (format!("name:{}", STANDARD.encode([7; 64])), KeyError::NotAKey),
        ] {
            let error = text.parse::<SigningKey>().unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains(&zeros));
        }
    }
}
