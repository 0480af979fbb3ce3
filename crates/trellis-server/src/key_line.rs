//! One line of a file of keys.
//!
//! ```text
//! line := NAME SECRET WORD*    NAME: 1 to 64 of A-Z a-z 0-9 . _ -
//! SECRET := TEXT | "sha256:" 64 hex digits of the SHA-256 of TEXT
//! TEXT := 16 or more of visible ASCII
//! WORD: scopes and limits (`grant.rs`)
//! ```

use std::sync::Arc;

use trellis_core::{Secret, Sha256};
use trellis_jobs::Owner;

use crate::grant::{Grant, WordError, is_word};

/// Begins a secret that is written as its digest.
pub(crate) const DIGEST_PREFIX: &str = "sha256:";
/// The longest name: it stands in every log line of a request.
pub(crate) const MAX_NAME_LENGTH: usize = 64;
/// The shortest secret: of random letters and digits as many take longer to guess than anybody has.
pub(crate) const MIN_SECRET_LENGTH: usize = 16;

/// A key: a name, the digest of a secret, and what whoever has that may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: Arc<str>,
    pub(crate) digest: Sha256,
    pub(crate) grant: Grant,
    /// Whose the jobs are that are submitted with it.
    pub(crate) owner: Owner,
}

/// Why a text is not a list of keys. Names lines, counted from 1, never what stands in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Not a name and a secret.
    #[error("line {line} does not begin with a name and a secret, separated by a space")]
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
    /// Something after the secret that means nothing.
    #[error("line {line} has {word} after the secret, where scopes and limits are expected")]
    UnknownWord {
        /// Where.
        line: usize,
        /// It, where it cannot be a part of a secret.
        word: String,
    },
    /// A scope or limit that cannot be used.
    #[error("`{word}` in line {line} must be {expected}")]
    InvalidWord {
        /// Where.
        line: usize,
        /// Which.
        word: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A scope or limit that stands twice.
    #[error("line {line} has `{word}` twice")]
    RepeatedWord {
        /// Where.
        line: usize,
        /// Which.
        word: &'static str,
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
    fn of_word(line: usize, error: WordError) -> Self {
        match error {
            WordError::Unknown { word } => Self::UnknownWord { line, word },
            WordError::Invalid { word, expected } => Self::InvalidWord { line, word, expected },
            WordError::Repeated { word } => Self::RepeatedWord { line, word },
        }
    }

    /// The stable name in tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotTwoWords { .. } => "not_two_words",
            Self::InvalidName { .. } => "invalid_name",
            Self::InvalidSecret { .. } => "invalid_secret",
            Self::TooShort { .. } => "too_short",
            Self::InvalidDigest { .. } => "invalid_digest",
            Self::UnknownWord { .. } => "unknown_word",
            Self::InvalidWord { .. } => "invalid_word",
            Self::RepeatedWord { .. } => "repeated_word",
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
            Self::UnknownWord { .. } | Self::InvalidWord { .. } => {
                "write scopes and limits after the secret, as in `scopes=submit,read requests_per_minute=60 queued=20 running=2 kept=10GiB`"
            }
            Self::RepeatedWord { .. } => "write each scope and limit once",
            Self::Twice { .. } => "give each key a name and a secret of its own",
            Self::Empty => {
                "add a key with `trellis keys new NAME --append FILE`, or unset `auth.keys_file` to serve without keys"
            }
        }
    }
}

impl Key {
    /// Reads a line without its spaces at either end.
    pub(crate) fn parse(line: usize, content: &str) -> Result<Self, KeysError> {
        let mut words = content.split_ascii_whitespace();
        // A scope or a limit in the place of the secret is no secret, and could be guessed.
        let (Some(name), Some(secret)) = (words.next(), words.next().filter(|word| !is_word(word))) else {
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
        let grant = Grant::parse(words).map_err(|error| KeysError::of_word(line, error))?;
        Ok(Self {
            owner: Owner::named(name).with(grant.rights()),
            name: name.into(),
            digest,
            grant,
        })
    }
}

/// Whether a key may have this name.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME_LENGTH).contains(&text.len()) && text.bytes().all(plain)
}
