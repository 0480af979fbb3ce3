//! The hash algorithms that Nix knows.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// A hash algorithm, written in lower case without a dash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(missing_docs, reason = "the names say it")]
pub enum HashAlgo {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// The names, in the order of [`HashAlgo`].
pub const SUPPORTED_ALGOS: [&str; 4] = ["md5", "sha1", "sha256", "sha512"];

impl HashAlgo {
    /// Bytes of a digest.
    pub const fn digest_length(&self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for HashAlgo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SUPPORTED_ALGOS[*self as usize])
    }
}

impl FromStr for HashAlgo {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let mut all = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512].into_iter();
        all.find(|algo| SUPPORTED_ALGOS[*algo as usize] == s)
            .ok_or(Error::InvalidAlgo)
    }
}

impl TryFrom<&str> for HashAlgo {
    type Error = Error;

    fn try_from(s: &str) -> Result<Self, Error> {
        s.parse()
    }
}
