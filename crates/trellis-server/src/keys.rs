//! Who may use the server: API keys, read from text, kept as digests, replaceable while the server runs.
//!
//! ```text
//! file := line*          `#` begins a comment line; empty lines are skipped
//! line := NAME SECRET    NAME: 1 to 64 of A-Z a-z 0-9 . _ -
//! SECRET := WORD | "sha256:" 64 hex digits of the SHA-256 of WORD
//! WORD := 16 or more of visible ASCII
//! ```
//!
//! Not here: where the file is (the caller), what a request without a key is answered (`authorize.rs`).

use std::fmt;
use std::sync::Arc;

use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use tokio::sync::watch;
use tracing::warn;
use trellis_core::{Secret, Sha256};

/// Begins a secret that is written as its digest.
pub(crate) const DIGEST_PREFIX: &str = "sha256:";
/// The longest name: it stands in every log line of a request.
pub(crate) const MAX_NAME_LENGTH: usize = 64;
/// The shortest secret: of random letters and digits as many take longer to guess than anybody has.
const MIN_SECRET_LENGTH: usize = 16;

/// The keys of a file, at least one. Holds no secret, only digests.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeys(Vec<Key>);

#[derive(Clone, PartialEq, Eq)]
struct Key {
    name: Arc<str>,
    digest: Sha256,
}

/// Why a text is not a list of keys. Names lines, counted from 1, never what stands in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Not two words.
    #[error("line {line} is not a name and a secret, separated by a space")]
    NotTwoWords {
        /// Where.
        line: usize,
    },
    /// A name with other characters, or too long.
    #[error("the name in line {line} must be 1 to {MAX_NAME_LENGTH} of `A-Z a-z 0-9 . _ -`")]
    InvalidName {
        /// Where.
        line: usize,
    },
    /// A secret that no header can carry.
    #[error("the secret in line {line} must be visible ASCII")]
    InvalidSecret {
        /// Where.
        line: usize,
    },
    /// A secret that can be guessed.
    #[error("the secret in line {line} is shorter than {MIN_SECRET_LENGTH} characters")]
    TooShort {
        /// Where.
        line: usize,
    },
    /// `sha256:` and something else than a digest.
    #[error("line {line} needs 64 hexadecimal digits after `{DIGEST_PREFIX}`")]
    InvalidDigest {
        /// Where.
        line: usize,
    },
    /// The name or the secret stands in an earlier line too.
    #[error("line {line} repeats the name or the secret of line {earlier}")]
    Twice {
        /// Where.
        line: usize,
        /// And before.
        earlier: usize,
    },
    /// Only comments and empty lines.
    #[error("there are no keys in it")]
    Empty,
}

impl KeysError {
    /// The stable name in tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotTwoWords { .. } => "not_two_words",
            Self::InvalidName { .. } => "invalid_name",
            Self::InvalidSecret { .. } => "invalid_secret",
            Self::TooShort { .. } => "too_short",
            Self::InvalidDigest { .. } => "invalid_digest",
            Self::Twice { .. } => "twice",
            Self::Empty => "empty",
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotTwoWords { .. } | Self::InvalidName { .. } | Self::InvalidSecret { .. } => {
                "write one key a line: a name and its secret, as `trellis keys new NAME` prints them"
            }
            Self::TooShort { .. } => {
                "make a new key with `trellis keys new NAME` and put the line that it prints in place of this one"
            }
            Self::InvalidDigest { .. } => "write what `printf %s SECRET | sha256sum` prints first",
            Self::Twice { .. } => "give each key a name and a secret of its own",
            Self::Empty => {
                "add a key with `trellis keys new NAME --append FILE`, or unset `auth.keys_file` to serve without keys"
            }
        }
    }
}

impl ApiKeys {
    /// Reads what stands in a file of keys.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<(usize, Key)> = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let key = Key::parse(line, content)?;
            let same = |(_, other): &&(usize, Key)| other.name == key.name || other.digest == key.digest;
            if let Some((earlier, _)) = keys.iter().find(same) {
                let earlier = *earlier;
                return Err(KeysError::Twice { line, earlier });
            }
            keys.push((line, key));
        }
        if keys.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self(keys.into_iter().map(|(_, key)| key).collect()))
    }

    /// The names of the keys, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| &*key.name)
    }

    /// The name of the key with that secret. Takes the same time for every key, known or unknown.
    fn owner(&self, secret: &Secret) -> Option<Arc<str>> {
        let digest = Sha256::of(secret.reveal());
        let mut found = u64::MAX;
        for (index, key) in (0..).zip(&self.0) {
            found.conditional_assign(&index, key.digest.as_bytes().ct_eq(digest.as_bytes()));
        }
        let key = self.0.get(usize::try_from(found).ok()?)?;
        Some(Arc::clone(&key.name))
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Key {
    fn parse(line: usize, content: &str) -> Result<Self, KeysError> {
        let mut words = content.split_ascii_whitespace();
        let (Some(name), Some(secret), None) = (words.next(), words.next(), words.next()) else {
            return Err(KeysError::NotTwoWords { line });
        };
        if !is_name(name) {
            return Err(KeysError::InvalidName { line });
        }
        let digest = if let Some(hex) = secret.strip_prefix(DIGEST_PREFIX) {
            // In either case, as other programs print it.
            let digest = hex.to_ascii_lowercase().parse();
            digest.map_err(|_| KeysError::InvalidDigest { line })?
        } else {
            let secret = Secret::parse(secret).ok_or(KeysError::InvalidSecret { line })?;
            if secret.reveal().len() < MIN_SECRET_LENGTH {
                return Err(KeysError::TooShort { line });
            }
            Sha256::of(secret.reveal())
        };
        Ok(Self {
            name: name.into(),
            digest,
        })
    }
}

/// Whether a key may have this name.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME_LENGTH).contains(&text.len()) && text.bytes().all(plain)
}

/// The keys in force, shared by all requests. Without any, everybody may use the server.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<watch::Sender<Option<Arc<ApiKeys>>>>);

/// What a request's key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// No keys are in force.
    Free,
    /// The request has the key of that name.
    Named(Arc<str>),
    /// It has none of the keys.
    Refused,
}

impl KeyRing {
    /// With these keys, or open to everybody.
    pub fn new(keys: Option<ApiKeys>) -> Self {
        Self(Arc::new(watch::Sender::new(keys.map(Arc::new))))
    }

    /// Puts other keys in force. Requests that were let in go on.
    pub fn replace(&self, keys: ApiKeys) {
        self.0.send_replace(Some(Arc::new(keys)));
    }

    /// The names of the keys in force; `None` where everybody may use the server.
    pub fn names(&self) -> Option<Vec<String>> {
        let keys = self.0.borrow().clone()?;
        Some(keys.names().map(str::to_owned).collect())
    }

    pub(crate) fn access(&self, secret: Option<&Secret>) -> Access {
        let keys = self.0.borrow().clone();
        match (keys, secret) {
            (None, _) => Access::Free,
            (Some(_), None) => Access::Refused,
            (Some(keys), Some(secret)) => match keys.owner(secret) {
                // The file has its digest alone, which does not tell.
                Some(key) if secret.reveal().len() < MIN_SECRET_LENGTH => {
                    warn!(%key, "refused an API key of fewer than {MIN_SECRET_LENGTH} characters: make a new one with `trellis keys new`");
                    Access::Refused
                }
                owner => owner.map_or(Access::Refused, Access::Named),
            },
        }
    }

    /// What a session of the key of that name opens, where `fits` says that it was begun with the key of that digest.
    pub(crate) fn session(&self, name: &str, fits: impl Fn(&Sha256) -> bool) -> Access {
        let Some(keys) = self.0.borrow().clone() else {
            return Access::Free;
        };
        let mut keys = keys.0.iter();
        let key = keys.find(|key| &*key.name == name && fits(&key.digest));
        key.map_or(Access::Refused, |key| Access::Named(Arc::clone(&key.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(keys: &ApiKeys, secret: &str) -> Option<String> {
        Some(keys.owner(&Secret::parse(secret).unwrap())?.to_string())
    }

    #[test]
    fn keys_are_read_in_clear_or_as_digests() {
        // printf %s open-sesame-open-sesame | sha256sum
        let text = "# the studio\n\nstudio  s3cret-of-the-studio\r\n\tclient.2 \
                    sha256:402EA51CD0FD3AB5140C27F5BDC85E0D2236A65CB62D7D2040FC8B61F124E0DD";
        let keys = ApiKeys::parse(text).unwrap();
        assert_eq!(owner(&keys, "s3cret-of-the-studio").as_deref(), Some("studio"));
        assert_eq!(
            owner(&keys, "open-sesame-open-sesame").as_deref(),
            Some("client.2")
        );
        for wrong in [
            "s3cret-of-the-studi",
            "s3cret-of-the-studio2",
            "S3CRET-OF-THE-STUDIO",
            "studio",
            "#",
        ] {
            assert_eq!(owner(&keys, wrong), None, "{wrong}");
        }
        assert_eq!(format!("{keys:?}"), r#"["studio", "client.2"]"#);
    }

    #[test]
    fn a_bad_line_is_named_and_its_secret_is_not() {
        let long = "n".repeat(MAX_NAME_LENGTH + 1);
        for (text, kind) in [
            ("hunter2".to_owned(), "not_two_words"),
            ("ada hunter2 # mine".to_owned(), "not_two_words"),
            ("a:b hunter2".to_owned(), "invalid_name"),
            (format!("{long} hunter2"), "invalid_name"),
            ("ada hunter2\u{e9}".to_owned(), "invalid_secret"),
            ("ada hunter2-hunter2".to_owned(), "too_short"),
            ("ada sha256:hunter2".to_owned(), "invalid_digest"),
            (format!("ada sha256:+{}", "hunter2".repeat(9)), "invalid_digest"),
        ] {
            let error = ApiKeys::parse(&format!("bob the-first-of-them\n# second\n{text}\n")).unwrap_err();
            let said = format!("{error} {error:?} {}", error.advice());
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.to_string().contains("line 3"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert_eq!(ApiKeys::parse("# nothing\n\n").unwrap_err().kind(), "empty");
    }

    #[test]
    fn a_name_or_a_secret_stands_once() {
        for text in [
            "ada number-one-of-them\n\nada number-two-of-them",
            "ada number-one-of-them\n\nbob number-one-of-them",
        ] {
            let error = ApiKeys::parse(text).unwrap_err();
            assert_eq!(error, KeysError::Twice { line: 3, earlier: 1 }, "{text}");
        }
    }

    #[test]
    fn without_keys_everybody_comes_in_and_new_keys_count_at_once() {
        let secret = Secret::parse("number-one-of-them").unwrap();
        let ring = KeyRing::new(None);
        assert_eq!((ring.names(), ring.access(None)), (None, Access::Free));
        ring.replace(ApiKeys::parse("ada number-one-of-them").unwrap());
        assert_eq!(
            (ring.names(), ring.access(None)),
            (Some(vec!["ada".to_owned()]), Access::Refused)
        );
        assert_eq!(ring.access(Some(&secret)), Access::Named("ada".into()));
        ring.replace(ApiKeys::parse("ada number-two-of-them").unwrap());
        assert_eq!(ring.access(Some(&secret)), Access::Refused);
    }

    #[test]
    fn a_short_secret_opens_nothing_although_its_digest_stands_in_the_file() {
        let keys = ApiKeys::parse(&format!("ada sha256:{}", Sha256::of("hunter2"))).unwrap();
        let ring = KeyRing::new(Some(keys));
        assert_eq!(
            ring.access(Some(&Secret::parse("hunter2").unwrap())),
            Access::Refused
        );
    }
}
