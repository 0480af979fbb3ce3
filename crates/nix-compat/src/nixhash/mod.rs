//! Digests as Nix writes them: `sha256:<digits>`, `sha256-<base 64>`, and the content addresses `fixed:r:sha256:…`.
//!
//! In `algo:…` and digest-only forms the length tells the digits apart: hexadecimal, [nixbase32]
//! or base 64. What is read is what Nix reads (see the crate's differences to upstream).

mod algo;
mod ca_hash;
#[cfg(feature = "serde")]
pub mod serde;

use std::fmt;

use data_encoding::{BASE64, DecodeError, HEXLOWER, HEXLOWER_PERMISSIVE};

pub use algo::HashAlgo;
pub use algo::SUPPORTED_ALGOS;
pub use ca_hash::{CAHash, HashMode as CAHashMode};

use crate::{base64, nixbase32};

/// A digest and its algorithm. Orders by algorithm, then by bytes, which is the order of the hexadecimal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum NixHash {
    Md5([u8; 16]),
    Sha1([u8; 20]),
    Sha256([u8; 32]),
    Sha512(Box<[u8; 64]>),
}

/// Why a text is no hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Error {
    #[error("unknown hash algorithm; known are md5, sha1, sha256 and sha512")]
    InvalidAlgo,
    #[error("not of the form `<algorithm>-<base 64>`")]
    InvalidSRI,
    #[error("wrong length for a {0} digest of {len} bytes", len = .0.digest_length())]
    InvalidDigestLength(HashAlgo),
    #[error("invalid hexadecimal digest")]
    InvalidBase16Encoding(#[source] DecodeError),
    #[error("invalid nixbase32 digest")]
    InvalidBase32Encoding(#[source] DecodeError),
    #[error("invalid base 64 digest")]
    InvalidBase64Encoding(#[source] DecodeError),
    #[error("a {0} hash is wanted, this one is {1}")]
    ConflictingHashAlgos(HashAlgo, HashAlgo),
    #[error("`{0}` does not say its algorithm, write `<algorithm>:` before it")]
    MissingInlineHashAlgo(String),
}

impl NixHash {
    /// The algorithm that made it.
    pub fn algo(&self) -> HashAlgo {
        match self {
            Self::Md5(_) => HashAlgo::Md5,
            Self::Sha1(_) => HashAlgo::Sha1,
            Self::Sha256(_) => HashAlgo::Sha256,
            Self::Sha512(_) => HashAlgo::Sha512,
        }
    }

    /// The bytes, as many as [`HashAlgo::digest_length`] says.
    pub fn digest_as_bytes(&self) -> &[u8] {
        match self {
            Self::Md5(digest) => digest,
            Self::Sha1(digest) => digest,
            Self::Sha256(digest) => digest,
            Self::Sha512(digest) => digest.as_slice(),
        }
    }

    /// From bytes, whose number must fit the algorithm.
    pub fn from_algo_and_digest(algo: HashAlgo, digest: &[u8]) -> Result<Self, Error> {
        let wrong = |_| Error::InvalidDigestLength(algo);
        Ok(match algo {
            HashAlgo::Md5 => Self::Md5(digest.try_into().map_err(wrong)?),
            HashAlgo::Sha1 => Self::Sha1(digest.try_into().map_err(wrong)?),
            HashAlgo::Sha256 => Self::Sha256(digest.try_into().map_err(wrong)?),
            HashAlgo::Sha512 => Self::Sha512(Box::new(digest.try_into().map_err(wrong)?)),
        })
    }

    /// Reads `sha256:<52 digits>` and nothing else; what the database and narinfo files hold.
    pub fn from_nix_nixbase32(s: &str) -> Option<Self> {
        let (algo, digits) = s.split_once(':')?;
        let digest = nixbase32::decode(digits).ok()?;
        Self::from_algo_and_digest(algo.try_into().ok()?, &digest).ok()
    }

    /// `sha256:<52 digits>`
    pub fn to_nix_nixbase32(&self) -> String {
        format!("{}:{}", self.algo(), nixbase32::encode(self.digest_as_bytes()))
    }

    /// Reads `sha256-<base 64>`.
    pub fn from_sri(s: &str) -> Result<Self, Error> {
        let (algo, digits) = s.split_once('-').ok_or(Error::InvalidSRI)?;
        from_base64(algo.try_into()?, digits)
    }

    /// Writes `sha256-<base 64>`.
    pub fn write_sri_str(&self, w: &mut impl fmt::Write) -> fmt::Result {
        write!(
            w,
            "{}-{}",
            self.algo(),
            BASE64.encode_display(self.digest_as_bytes())
        )
    }

    /// `sha256-<base 64>`
    pub fn to_sri_string(&self) -> String {
        self.to_string()
    }

    /// `sha256:<64 digits>`
    pub fn to_nix_lowerhex_string(&self) -> String {
        format!(
            "{}:{}",
            self.algo(),
            HEXLOWER.encode_display(self.digest_as_bytes())
        )
    }

    /// Reads any notation. `want_algo` is needed where the text does not name its algorithm, and where it does,
    /// must agree.
    pub fn from_str(s: &str, want_algo: Option<HashAlgo>) -> Result<Self, Error> {
        let wanted = |algo: HashAlgo| match want_algo {
            Some(want) if want != algo => Err(Error::ConflictingHashAlgos(want, algo)),
            _ => Ok(algo),
        };
        if let Some((algo, digits)) = s.split_once(':') {
            from_digits(wanted(algo.try_into()?)?, digits)
        } else if let Some((algo, digits)) = s.split_once('-') {
            from_base64(wanted(algo.try_into()?)?, digits)
        } else {
            let algo = want_algo.ok_or_else(|| Error::MissingInlineHashAlgo(s.to_owned()))?;
            from_digits(algo, s)
        }
    }
}

/// Writes the SRI form.
impl fmt::Display for NixHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_sri_str(f)
    }
}

/// A digest whose length tells its notation.
fn from_digits(algo: HashAlgo, digits: &str) -> Result<NixHash, Error> {
    let bytes = algo.digest_length();
    let digest = match digits.len() {
        len if len == 2 * bytes => HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .map_err(Error::InvalidBase16Encoding)?,
        len if len == nixbase32::encode_len(bytes) => {
            nixbase32::decode(digits).map_err(Error::InvalidBase32Encoding)?
        }
        len if len == BASE64.encode_len(bytes) => return from_base64(algo, digits),
        _ => return Err(Error::InvalidDigestLength(algo)),
    };
    NixHash::from_algo_and_digest(algo, &digest)
}

fn from_base64(algo: HashAlgo, digits: &str) -> Result<NixHash, Error> {
    let digest = base64::decode(digits.as_bytes()).map_err(Error::InvalidBase64Encoding)?;
    NixHash::from_algo_and_digest(algo, &digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_text_is_no_hash() {
        let read = |text| NixHash::from_str(text, None).unwrap_err();
        assert_eq!(read("sha384-aaaa"), Error::InvalidAlgo);
        assert_eq!(read("SHA256:00"), Error::InvalidAlgo);
        assert_eq!(read("sha256:00"), Error::InvalidDigestLength(HashAlgo::Sha256));
        assert_eq!(read("sha256-AAAA"), Error::InvalidDigestLength(HashAlgo::Sha256));
        assert_eq!(read("00"), Error::MissingInlineHashAlgo("00".into()));
        assert_eq!(NixHash::from_sri("sha256:00").unwrap_err(), Error::InvalidSRI);
        let md5 = "md5:d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(
            NixHash::from_str(md5, Some(HashAlgo::Sha1)).unwrap_err(),
            Error::ConflictingHashAlgos(HashAlgo::Sha1, HashAlgo::Md5)
        );
        assert!(matches!(
            read("sha1:zz39a3ee5e6b4b0d3255bfef95601890afd80709"),
            Error::InvalidBase16Encoding(_)
        ));
        assert!(matches!(
            read("md5:3y8bwfr609h3lh9ch0izcqq7ee"),
            Error::InvalidBase32Encoding(_)
        ));
        assert!(matches!(
            read("md5:*B2M2Y8AsgTpgAmY7PhCfg=="),
            Error::InvalidBase64Encoding(_)
        ));
    }

    #[test]
    fn the_short_form_takes_nothing_else() {
        assert!(NixHash::from_nix_nixbase32("md5:3y8bwfr609h3lh9ch0izcqq7fl").is_some());
        assert!(NixHash::from_nix_nixbase32("md5:d41d8cd98f00b204e9800998ecf8427e").is_none());
        assert!(NixHash::from_nix_nixbase32("3y8bwfr609h3lh9ch0izcqq7fl").is_none());
    }
}
