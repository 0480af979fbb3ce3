//! What stands behind a key's secret in a file of keys: its scopes and limits.
//!
//! ```text
//! WORD := "scopes=" SCOPE ("," SCOPE)*      SCOPE: submit read admin
//!       | "requests_per_minute=" NUMBER     NUMBER: from 1
//!       | "queued=" NUMBER | "running=" NUMBER
//!       | "kept=" NUMBER ("KiB" | "MiB" | "GiB" | "TiB")?
//! ```

use std::fmt;
use std::str::FromStr;

use trellis_jobs::Rights;

use crate::scopes::Scope;

/// The scopes of a key that names none.
pub const DEFAULT_SCOPES: [Scope; 2] = [Scope::Submit, Scope::Read];

/// The longest part of a word that is shown; those that mean something are shorter.
const SHOWN: usize = 24;

/// What a key may do, and how much of it. A limit that is `None` is the server's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// In order, each once, at least one.
    pub scopes: Vec<Scope>,
    /// How many requests a minute; after a pause as many at once.
    pub requests_per_minute: Option<u32>,
    /// How many jobs may wait at a time.
    pub queued: Option<u64>,
    /// How many jobs may run at a time; others wait.
    pub running: Option<u64>,
    /// How much its jobs may keep.
    pub kept: Option<Size>,
}

/// A number of bytes, written with a binary unit where it is a multiple of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// A text that is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a size is a whole number from 1, of bytes or with `KiB`, `MiB`, `GiB` or `TiB`")]
pub struct InvalidSize;

/// Why a word is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WordError {
    /// It names nothing that there is.
    Unknown { word: String },
    /// Its value is wrong.
    Invalid {
        word: &'static str,
        expected: &'static str,
    },
    /// It stands there already.
    Repeated { word: &'static str },
}

/// The words that there are, and what each takes.
const WORDS: [(&str, &str); 5] = [
    (
        "scopes",
        "`submit`, `read`, `admin`, separated by commas, each once",
    ),
    ("requests_per_minute", COUNT),
    ("queued", COUNT),
    ("running", COUNT),
    (
        "kept",
        "a number of bytes from 1, or one with `KiB`, `MiB`, `GiB` or `TiB`",
    ),
];
const COUNT: &str = "a whole number from 1";

/// Whether a text begins as one of the words does.
pub(crate) fn is_word(text: &str) -> bool {
    let name = text.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| WORDS.iter().any(|(word, _)| *word == name))
}

impl Default for Grant {
    fn default() -> Self {
        Self {
            scopes: DEFAULT_SCOPES.to_vec(),
            requests_per_minute: None,
            queued: None,
            running: None,
            kept: None,
        }
    }
}

impl Grant {
    /// Reads the words after a secret.
    pub(crate) fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, WordError> {
        let mut grant = Self::default();
        let mut seen = Vec::new();
        for text in words {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let Some(&(word, expected)) = WORDS.iter().find(|(word, _)| *word == name) else {
                return Err(WordError::Unknown { word: shown(name) });
            };
            if seen.contains(&word) {
                return Err(WordError::Repeated { word });
            }
            seen.push(word);
            let taken = grant.take(word, value);
            taken.ok_or(WordError::Invalid { word, expected })?;
        }
        Ok(grant)
    }

    fn take(&mut self, word: &str, value: &str) -> Option<()> {
        match word {
            "scopes" => self.scopes = scopes(value)?,
            "requests_per_minute" => self.requests_per_minute = Some(count(value)?.try_into().ok()?),
            "queued" => self.queued = Some(count(value)?),
            "running" => self.running = Some(count(value)?),
            _ => self.kept = Some(value.parse().ok()?),
        }
        Some(())
    }

    /// Whether it has one of these scopes; where there are none, whatever it has.
    pub(crate) fn has_one_of(&self, scopes: &[Scope]) -> bool {
        scopes.is_empty() || scopes.iter().any(|scope| self.scopes.contains(scope))
    }

    /// What the job service needs of it.
    pub(crate) fn rights(&self) -> Rights {
        Rights {
            sees_all: self.scopes.contains(&Scope::Admin),
            queued: self.queued,
            kept_bytes: self.kept.map(|Size(bytes)| bytes),
        }
    }
}

impl fmt::Display for Grant {
    /// The words that [`Grant::parse`] reads, each after a space; nothing for what is the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scopes != DEFAULT_SCOPES {
            let names: Vec<&str> = self.scopes.iter().map(|scope| scope.name()).collect();
            write!(f, " scopes={}", names.join(","))?;
        }
        let counts = [
            ("requests_per_minute", self.requests_per_minute.map(u64::from)),
            ("queued", self.queued),
            ("running", self.running),
        ];
        for (word, count) in counts {
            if let Some(count) = count {
                write!(f, " {word}={count}")?;
            }
        }
        match self.kept {
            Some(size) => write!(f, " kept={size}"),
            None => Ok(()),
        }
    }
}

/// Scopes in order; `None`: one is unknown or stands twice.
fn scopes(text: &str) -> Option<Vec<Scope>> {
    let listed = text.split(',').map(str::parse);
    let mut scopes: Vec<Scope> = listed.collect::<Result<_, _>>().ok()?;
    let many = scopes.len();
    scopes.sort_unstable();
    scopes.dedup();
    (scopes.len() == many).then_some(scopes)
}

fn count(text: &str) -> Option<u64> {
    // Without the signs that `parse` takes.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let count = text.parse().ok().filter(|_| digits);
    count.filter(|count| *count > 0)
}

/// A word as messages show it: a part of a secret after a space too many is not shown.
fn shown(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if name.len() <= SHOWN && !name.is_empty() && name.bytes().all(plain) {
        format!("`{name}`")
    } else {
        "a word".to_owned()
    }
}

const UNITS: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let with = |(name, bytes): &(&str, u64)| Some((text.strip_suffix(name)?, *bytes));
        let (digits, unit) = UNITS.iter().find_map(with).unwrap_or((text, 1));
        let bytes = count(digits).and_then(|count| count.checked_mul(unit));
        // Larger ones are no numbers of the database.
        let bytes = bytes.filter(|bytes| i64::try_from(*bytes).is_ok());
        bytes.map(Self).ok_or(InvalidSize)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        match UNITS.iter().find(|(_, unit)| bytes.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", bytes / unit),
            None => write!(f, "{bytes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Grant, WordError> {
        Grant::parse(text.split_ascii_whitespace())
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let all = " scopes=submit,read,admin requests_per_minute=60 queued=20 running=2 kept=10GiB";
        for text in ["", all, " scopes=read", " kept=1025", " queued=3 kept=3KiB"] {
            assert_eq!(parsed(text).unwrap().to_string(), text);
        }
        let all = parsed(all).unwrap();
        assert_eq!(
            (all.queued, all.running, all.kept),
            (Some(20), Some(2), Some(Size(10 << 30)))
        );
        assert_eq!(
            parsed("scopes=read,submit").unwrap(),
            Grant::default(),
            "in any order"
        );
        assert!(!Grant::default().has_one_of(&[Scope::Admin]));
    }

    #[test]
    fn a_wrong_word_is_named_and_what_may_be_a_secret_is_not() {
        let unknown = |word: &str| WordError::Unknown {
            word: word.to_owned(),
        };
        assert_eq!(parsed("quued=3"), Err(unknown("`quued`")));
        for hidden in [
            "hunter2",
            "#",
            "hunter-of-bugs==",
            "hunterhunterhunterhunterhunter=1",
            "=3",
        ] {
            assert_eq!(parsed(hidden), Err(unknown("a word")), "{hidden}");
        }
        for bad in [
            "queued=0",
            "queued",
            "queued=+3",
            "queued=-1",
            "queued=1e3",
            "kept=0GiB",
            "kept=GiB",
            "kept=1GB",
            "kept=1GiBGiB",
            "kept=99999999TiB",
            "running=",
            "requests_per_minute=4294967296",
            "scopes=",
            "scopes=write",
            "scopes=read,read",
            "scopes=read,",
            "scopes=Read",
        ] {
            let name = bad.split('=').next().unwrap();
            let invalid = matches!(parsed(bad), Err(WordError::Invalid { word, .. }) if word == name);
            assert!(invalid, "{bad}: {:?}", parsed(bad));
        }
        assert_eq!(
            parsed("queued=3 queued=3"),
            Err(WordError::Repeated { word: "queued" })
        );
    }
}
