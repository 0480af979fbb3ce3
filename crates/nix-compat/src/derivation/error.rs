//! What can be wrong with a derivation: its text, what it says, or one of its outputs.

use crate::aterm::Unreadable;
use crate::nixhash::CAHash;
use crate::store_path::{self, BuildStorePathError};

/// Why an ATerm is not a derivation. `I` is the input's type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParserError<I> {
    /// Its text breaks the grammar, or holds what this library does not know.
    #[error("cannot read the derivation: {0}")]
    Parser(Unreadable<I>),
    /// It ends too early.
    #[error("cannot read the derivation: it is cut short")]
    Incomplete,
    /// It can be read, and says something that no derivation may say.
    #[error("the derivation is not valid")]
    Validation(#[source] DerivationError),
}

/// A rule that a derivation breaks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerivationError {
    /// At least one output is needed.
    #[error("it has no outputs")]
    NoOutputs(),
    /// Empty, `drv`, or not of a store path name's characters.
    #[error("`{0}` is not a valid output name")]
    InvalidOutputName(String),
    /// A fixed output has to be the only one.
    #[error("it has a fixed output, and others beside it")]
    MoreThanOneOutputButFixed(),
    /// A fixed output has to be called `out`.
    #[error("its fixed output is called `{0}` and must be called `out`")]
    InvalidOutputNameForFixed(String),
    /// One output is wrong in itself.
    #[error("its output `{0}` is wrong")]
    InvalidOutput(String, #[source] OutputError),
    /// No store path can be made of this name.
    #[error("no store path can be computed for `{0}`")]
    InvalidOutputDerivationPath(String, #[source] BuildStorePathError),
    /// An input derivation is not a store path.
    #[error("its input derivation `{0}` is not a store path")]
    InvalidInputDerivationPath(String, #[source] store_path::Error),
    /// An input derivation's name has to end in `.drv`.
    #[error("its input derivation `{0}` does not end in `.drv`")]
    InvalidInputDerivationPrefix(String),
    /// An input derivation of which nothing is used.
    #[error("it names no output of its input derivation `{0}`")]
    EmptyInputDerivationOutputNames(String),
    /// What is used of an input derivation has no possible name.
    #[error("it uses the output `{1}` of its input derivation `{0}`, which is not a valid output name")]
    InvalidInputDerivationOutputName(String, String),
    /// An input source is not a store path.
    #[error("its input `{0}` is not a store path")]
    InvalidInputSourcesPath(String, #[source] store_path::Error),
    /// `system` is empty.
    #[error("its system `{0}` is not a valid system")]
    InvalidPlatform(String),
    /// `builder` is empty.
    #[error("its builder `{0}` is not a program")]
    InvalidBuilder(String),
    /// A variable without a name.
    #[error("its environment has a variable called `{0}`, which is not a valid name")]
    InvalidEnvironmentKey(String),
}

/// What can be wrong with one output.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// Its path is not a store path.
    #[error("its path `{0}` is not a store path")]
    InvalidOutputPath(String, #[source] store_path::Error),
    /// It has no path yet: not computed, or it waits for the output of a content-addressed derivation.
    #[error("its path is not known")]
    MissingOutputPath,
    /// A fixed output is a file or a tree; `text` belongs to derivations made by derivations.
    #[error("it is fixed as text (dynamic derivations); known are files and trees")]
    InvalidCAHash(CAHash),
}
