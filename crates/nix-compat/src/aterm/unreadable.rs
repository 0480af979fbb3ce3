//! Where and why a text cannot be read as an ATerm.

use std::fmt;

/// Where reading stopped and why. `I` is the input's type: what stands from there on is kept for the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable<I> {
    pub(crate) rest: I,
    pub(crate) offset: usize,
    pub(crate) problem: Problem,
}

/// What is wrong at one place of an ATerm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// Something else had to stand here.
    #[error("expected `{0}`")]
    Expected(&'static str),
    #[error("a derivation has ended, and more follows")]
    Trailing,
    /// The string before this place has to be text.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
    #[error("{0} `{1}` is named twice")]
    Twice(&'static str, String),
    #[error(
        "it is written in the extended form `{0}` (dynamic derivations), which this program does not know"
    )]
    Version(String),
    #[error(
        "its output `{0}` is content-addressed and gets its path only by a build, so the derivation does not say which"
    )]
    Floating(String),
    #[error("its output `{0}` is impure: each build makes another path")]
    Impure(String),
    #[error("its output `{output}` is hashed by `{method}`, which this program does not know")]
    HashMethod { output: String, method: String },
    #[error("the hash `{digest}` of its output `{output}` is not lower-case hex of the right length")]
    Digest { output: String, digest: String },
}

impl<I: AsRef<[u8]>> fmt::Display for Unreadable<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.offset;
        match &self.problem {
            Problem::Expected(what) => {
                write!(f, "expected `{what}` at byte {at}, found `{}`", self.excerpt())
            }
            Problem::Trailing => write!(f, "it ends at byte {at}, but `{}` follows", self.excerpt()),
            Problem::NotUtf8(what) => write!(f, "{what} that ends at byte {at} is not UTF-8"),
            other => write!(f, "{other}"),
        }
    }
}

impl<I: AsRef<[u8]>> Unreadable<I> {
    /// The next bytes, short and printable.
    fn excerpt(&self) -> String {
        const SHOWN: usize = 24;
        let rest = self.rest.as_ref();
        let shown = rest.iter().take(SHOWN).map(|&byte| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            other => other.escape_ascii().to_string(),
        });
        let more = if rest.len() > SHOWN { "…" } else { "" };
        shown.chain([more.to_owned()]).collect()
    }
}
