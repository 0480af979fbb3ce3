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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Something else had to stand here.
    Expected(&'static str),
    /// A derivation has ended, and more follows.
    Trailing,
    /// The string before this place has to be text.
    NotUtf8(&'static str),
    /// The same thing stands twice in a list that names each once.
    Twice(&'static str, String),
    /// `DrvWithVersion("…", …)`.
    Version(String),
    /// An output whose path is known only after a build.
    Floating(String),
    /// An output that differs from build to build.
    Impure(String),
    /// An output hashed in a way that has no words here.
    HashMethod { output: String, method: String },
    /// A digest that is not lower-case hex of its algorithm's length.
    Digest { output: String, digest: String },
}

impl<I: AsRef<[u8]>> fmt::Display for Unreadable<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Expected(what) => {
                write!(
                    f,
                    "expected `{what}` at byte {}, found `{}`",
                    self.offset,
                    self.excerpt()
                )
            }
            Problem::Trailing => {
                write!(
                    f,
                    "it ends at byte {}, but `{}` follows",
                    self.offset,
                    self.excerpt()
                )
            }
            Problem::NotUtf8(what) => write!(f, "{what} that ends at byte {} is not UTF-8", self.offset),
            Problem::Twice(what, name) => write!(f, "{what} `{name}` is named twice"),
            Problem::Version(version) => write!(
                f,
                "it is written in the extended form `{version}` (dynamic derivations), which this program does not know"
            ),
            Problem::Floating(output) => write!(
                f,
                "its output `{output}` is content-addressed and gets its path only by a build, so the derivation does not say which"
            ),
            Problem::Impure(output) => {
                write!(
                    f,
                    "its output `{output}` is impure: each build makes another path"
                )
            }
            Problem::HashMethod { output, method } => {
                write!(
                    f,
                    "its output `{output}` is hashed by `{method}`, which this program does not know"
                )
            }
            Problem::Digest { output, digest } => write!(
                f,
                "the hash `{digest}` of its output `{output}` is not lower-case hex of the right length"
            ),
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
