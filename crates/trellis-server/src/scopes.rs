//! What a key may do.
//!
//! Not here: what a request needs of that (`needs.rs`), how many requests and jobs a key may have (`grant.rs`).

use std::fmt;
use std::str::FromStr;

/// Something that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Submit jobs, follow, cancel and delete its own.
    Submit,
    /// List its own jobs, follow them and fetch their files.
    Read,
    /// See and end the jobs of all keys, command workers, read `/metrics`.
    Admin,
}

/// A word that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `submit`, `read` or `admin`")]
pub struct UnknownScope;

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Submit, Self::Read, Self::Admin];

    /// Its name in files of keys, answers and docs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.name() == text);
        known.ok_or(UnknownScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
