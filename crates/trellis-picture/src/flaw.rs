//! What can be wrong with a file's structure, in the words of all formats.

/// What is wrong with a file's structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The file ends within its picture.
    CutShort,
    /// It contradicts itself.
    Contradiction(&'static str),
    /// It asks for far more work than a picture of its size needs.
    OutOfProportion(&'static str),
}
