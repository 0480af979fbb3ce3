//! SHA-256 digests, and how they are written: 64 lower-case hexadecimal digits, one spelling everywhere.
//!
//! Not here: digests as Nix writes them (`nix-compat`), nor opening the file that is hashed.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Large enough that system calls cost nothing beside the hash, small enough for the second-level cache.
const BUFFER_BYTES: usize = 256 << 10;

/// A SHA-256 digest. In JSON and for people, 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

/// A text that is not a SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a SHA-256 digest, which has 64 lower-case hexadecimal digits")]
pub struct InvalidSha256 {
    /// What was given, cut to 80 characters.
    pub text: String,
}

impl Sha256 {
    /// The digest of bytes in memory.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of everything that can be read, and how many bytes that is. Blocks.
    pub fn of_reader(mut source: impl Read) -> io::Result<(u64, Self)> {
        let mut hasher = Sha256Hasher::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The digest's own 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A digest in the making, fed part by part or as a [`Write`].
#[derive(Debug, Clone, Default)]
pub struct Sha256Hasher {
    digest: sha2::Sha256,
    size: u64,
}

impl Sha256Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// How many bytes there were, and their digest.
    pub fn finish(self) -> (u64, Sha256) {
        (self.size, Sha256(self.digest.finalize().into()))
    }
}

impl Write for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<[u8; 32]> for Sha256 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = InvalidSha256;
    fn try_from(text: String) -> Result<Self, InvalidSha256> {
        text.parse()
    }
}

impl FromStr for Sha256 {
    type Err = InvalidSha256;

    fn from_str(text: &str) -> Result<Self, InvalidSha256> {
        let decoded = HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = decoded.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| InvalidSha256 {
            text: text.chars().take(80).collect(),
        })
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn agrees_with_the_standard() {
        assert_eq!(Sha256::of("abc").to_string(), ABC);
        assert_eq!(Sha256::of_reader(&b"abc"[..]).unwrap(), (3, ABC.parse().unwrap()));
        let mut hasher = Sha256Hasher::default();
        io::copy(&mut b"ab".chain(&b"c"[..]), &mut hasher).unwrap();
        assert_eq!(hasher.finish(), (3, Sha256::of("abc")));
    }

    #[test]
    fn is_a_text_in_json_and_has_one_spelling() {
        let digest = Sha256::of("abc");
        assert_eq!(serde_json::to_value(digest).unwrap(), ABC);
        assert_eq!(serde_json::from_value::<Sha256>(ABC.into()).unwrap(), digest);
        for other in [
            ABC.to_uppercase(),
            ABC[1..].to_owned(),
            format!("{ABC}00"),
            "é".repeat(32),
        ] {
            assert!(other.parse::<Sha256>().is_err(), "{other}");
            assert!(serde_json::from_value::<Sha256>(other.into()).is_err());
        }
    }

    #[test]
    fn an_error_says_what_is_expected() {
        let error = serde_json::from_str::<Sha256>("\"sha256-abc\"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sha256-abc` is not a SHA-256 digest, which has 64 lower-case hexadecimal digits"
        );
    }
}
