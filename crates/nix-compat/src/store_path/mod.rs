//! Store paths: `/nix/store/<digest>-<name>`, parsed, checked and [computed](build_ca_path).
//!
//! The digest is 20 bytes in [nixbase32], the name 1 to 211 bytes of `A–Z a–z 0–9 + - . _ ? =`
//! that do not begin with `.` or `..` as a whole or before a dash. The directory is always [`STORE_DIR`]. A path
//! is pure text here: whether it exists is not this crate's to ask.

mod compute;
mod name;
#[cfg(feature = "serde")]
mod serde;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
#[cfg(unix)]
use std::path::Path;
use std::str::FromStr;

use data_encoding::DecodeError;

pub use compute::{
    BuildStorePathError, build_ca_path, build_output_path, build_text_path, compress_hash, hash_placeholder,
};
pub(crate) use name::validate_name;

use crate::nixbase32;

/// Bytes of a store path's digest.
pub const DIGEST_SIZE: usize = 20;
/// Characters of a store path's digest.
pub const ENCODED_DIGEST_SIZE: usize = nixbase32::encode_len(DIGEST_SIZE);
/// The one store directory that is known here.
pub const STORE_DIR: &str = "/nix/store";
/// [`STORE_DIR`] and a slash.
pub const STORE_DIR_WITH_SLASH: &str = "/nix/store/";

/// Digest and name of a path directly in the store.
///
/// Orders as its text does, so that a sorted set lists paths as Nix does. `Display` leaves the directory away.
#[derive(Clone, Debug)]
pub struct StorePath<S> {
    digest: [u8; DIGEST_SIZE],
    name: S,
}

/// A store path whose name is borrowed.
pub type StorePathRef<'a> = StorePath<&'a str>;

/// Why a text is no store path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The character after the digest is another.
    #[error("no dash between digest and name")]
    MissingDash,
    /// The first 32 characters are no digest.
    #[error("invalid digest")]
    InvalidHashEncoding(#[source] DecodeError),
    /// No name, or one longer than 211 bytes, or a digest that is not 20 bytes long.
    #[error("too short or too long; a digest has 20 bytes, a name 1 to 211")]
    InvalidLength,
    /// The name, and the position of the byte that must not be there.
    #[error("name `{}` is not allowed from byte {} on", String::from_utf8_lossy(.0), .1)]
    InvalidName(Vec<u8>, u8),
    /// Not absolute, or in another directory.
    #[error("not in `{STORE_DIR}`, the only store directory read here")]
    MissingStoreDir,
}

impl<S: AsRef<str>> StorePath<S> {
    /// The digest's bytes.
    pub fn digest(&self) -> &[u8; DIGEST_SIZE] {
        &self.digest
    }

    /// What follows the dash.
    pub fn name(&self) -> &S {
        &self.name
    }

    /// The same path, with its name borrowed.
    pub fn as_ref(&self) -> StorePathRef<'_> {
        StorePath {
            digest: self.digest,
            name: self.name.as_ref(),
        }
    }

    /// The same path, with a name of its own.
    pub fn to_owned(&self) -> StorePath<String> {
        StorePath {
            digest: self.digest,
            name: self.name.as_ref().to_owned(),
        }
    }

    /// Reads `<digest>-<name>`.
    pub fn from_bytes<'a>(s: &'a [u8]) -> Result<Self, Error>
    where
        S: From<&'a str>,
    {
        let (digest, rest) = s
            .split_at_checked(ENCODED_DIGEST_SIZE)
            .ok_or(Error::InvalidLength)?;
        let digest = nixbase32::decode_fixed(digest).map_err(Error::InvalidHashEncoding)?;
        match rest {
            [] => Err(Error::InvalidLength),
            [b'-', name @ ..] => Ok(Self {
                digest,
                name: validate_name(name)?.into(),
            }),
            _ => Err(Error::MissingDash),
        }
    }

    /// From its parts; the digest must have 20 bytes.
    pub fn from_name_and_digest<'a>(name: &'a str, digest: &[u8]) -> Result<Self, Error>
    where
        S: From<&'a str>,
    {
        Self::from_name_and_digest_fixed(name, digest.try_into().map_err(|_| Error::InvalidLength)?)
    }

    /// From its parts.
    pub fn from_name_and_digest_fixed<'a>(name: &'a str, digest: [u8; DIGEST_SIZE]) -> Result<Self, Error>
    where
        S: From<&'a str>,
    {
        Ok(Self {
            digest,
            name: validate_name(name.as_bytes())?.into(),
        })
    }

    /// Reads `/nix/store/<digest>-<name>`, with nothing below it.
    pub fn from_absolute_path<'a>(s: &'a [u8]) -> Result<Self, Error>
    where
        S: From<&'a str>,
    {
        Self::from_bytes(
            s.strip_prefix(STORE_DIR_WITH_SLASH.as_bytes())
                .ok_or(Error::MissingStoreDir)?,
        )
    }

    /// Reads `/nix/store/<digest>-<name>/a/b` and returns the rest, `a/b`, too.
    #[cfg(unix)]
    pub fn from_absolute_path_full<'a, P>(path: &'a P) -> Result<(Self, &'a Path), Error>
    where
        S: From<&'a str>,
        P: AsRef<Path> + ?Sized,
    {
        use std::os::unix::ffi::OsStrExt;

        let inside = path
            .as_ref()
            .strip_prefix(STORE_DIR)
            .map_err(|_| Error::MissingStoreDir)?;
        let mut components = inside.components();
        let first = components.next().ok_or(Error::InvalidLength)?;
        Ok((
            Self::from_bytes(first.as_os_str().as_bytes())?,
            components.as_path(),
        ))
    }

    /// `/nix/store/<digest>-<name>`
    pub fn to_absolute_path(&self) -> String {
        format!("{STORE_DIR_WITH_SLASH}{self}")
    }

    /// What the text sorts by: see [`nixbase32`].
    fn sort_key(&self) -> (impl Iterator<Item = &u8>, &str) {
        (self.digest.iter().rev(), self.name.as_ref())
    }
}

impl<S: AsRef<str>> fmt::Display for StorePath<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", nixbase32::encode(&self.digest), self.name.as_ref())
    }
}

impl FromStr for StorePath<String> {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        Self::from_bytes(s.as_bytes())
    }
}

impl<S: AsRef<str>> PartialEq for StorePath<S> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.name.as_ref() == other.name.as_ref()
    }
}

impl<S: AsRef<str>> Eq for StorePath<S> {}

impl<S: AsRef<str>> PartialOrd for StorePath<S> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<S: AsRef<str>> Ord for StorePath<S> {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((digest, name), (other_digest, other_name)) = (self.sort_key(), other.sort_key());
        digest.cmp(other_digest).then_with(|| name.cmp(other_name))
    }
}

impl<S: AsRef<str>> Hash for StorePath<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
        self.name.as_ref().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "00bgd045z0d4icpbc2yyz4gx48ak44la";

    fn error(text: &str) -> Error {
        StorePathRef::from_absolute_path(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn says_why_a_text_is_no_store_path() {
        assert_eq!(error(&format!("/gnu/store/{DIGEST}-x")), Error::MissingStoreDir);
        assert_eq!(error(&format!("{DIGEST}-x")), Error::MissingStoreDir);
        assert_eq!(error("/nix/store/"), Error::InvalidLength);
        assert_eq!(error(&format!("/nix/store/{DIGEST}")), Error::InvalidLength);
        assert_eq!(error(&format!("/nix/store/{DIGEST}-")), Error::InvalidLength);
        assert_eq!(error(&format!("/nix/store/{DIGEST}x")), Error::MissingDash);
        assert!(matches!(
            error(&format!("/nix/store/e{}-x", &DIGEST[1..])),
            Error::InvalidHashEncoding(_)
        ));
        assert_eq!(
            error(&format!("/nix/store/{DIGEST}-x/bin")),
            Error::InvalidName(b"x/bin".into(), 1)
        );
        let short = StorePathRef::from_name_and_digest("x", &[0; 19]);
        assert_eq!(short.unwrap_err(), Error::InvalidLength);
    }

    #[cfg(unix)]
    #[test]
    fn splits_what_lies_below_a_store_path() {
        let split = |rest: &str| {
            let path = format!("/nix/store/{DIGEST}-x{rest}");
            let (store_path, rest) = StorePath::<String>::from_absolute_path_full(&path).unwrap();
            assert_eq!(store_path.to_absolute_path(), path[..45]);
            rest.to_owned()
        };
        assert_eq!(split(""), Path::new(""));
        assert_eq!(split("/"), Path::new(""));
        assert_eq!(split("/bin/a"), Path::new("bin/a"));
        assert_eq!(split("/../b"), Path::new("../b"));
        let full = |path| StorePathRef::from_absolute_path_full(path).unwrap_err();
        assert_eq!(full("/nix/store"), Error::InvalidLength);
        assert_eq!(full("/nix/storex"), Error::MissingStoreDir);
        assert_eq!(full("nix/store/x"), Error::MissingStoreDir);
    }

    #[test]
    fn paths_with_one_digest_are_two() {
        let path = |name| StorePathRef::from_name_and_digest(name, &[0; 20]).unwrap();
        assert_ne!(path("a"), path("b"));
        assert!(path("a") < path("b"));
    }
}
