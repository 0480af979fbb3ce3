//! The words of the format, its limits, and what can be wrong; see the grammar at [`super`].

use std::cmp::Ordering;
use std::io;

/// The longest file name that Linux has.
pub(super) const MAX_NAME_LEN: usize = 255;
/// The longest target of a symbolic link that Linux has.
pub(super) const MAX_TARGET_LEN: usize = 4095;
/// Directories within each other. Nix names files by their whole path, which has 4,095 bytes at most.
pub(super) const MAX_DEPTH: usize = 2048;

/// Defines constants of words as they are in an archive.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident = $($word:literal)*;)*) => {$(
        $(#[$meta])*
        pub(super) const $name: &[u8] = &{
            const WORDS: &[&[u8]] = &[$($word),*];
            encode::<{ encoded_len(WORDS) }>(WORDS)
        };
    )*};
}

words! {
    MAGIC = b"nix-archive-1";
    /// Ends a node, and an entry.
    CLOSE = b")";
    CLOSE_ENTRY = b")" b")";
    /// The target follows.
    SYMLINK = b"(" b"type" b"symlink" b"target";
    /// The contents follow.
    FILE = b"(" b"type" b"regular" b"contents";
    /// The contents follow.
    EXECUTABLE = b"(" b"type" b"regular" b"executable" b"" b"contents";
    /// Entries or the end follow.
    DIRECTORY = b"(" b"type" b"directory";
    /// The name follows.
    ENTRY = b"entry" b"(" b"name";
    /// The node follows.
    NODE = b"node";
}

/// The longest word is that of [`MAGIC`].
pub(super) const MAX_WORD_LEN: usize = 13;

/// Zeros that follow `len` bytes.
pub(super) const fn padding(len: u64) -> usize {
    (len.wrapping_neg() % 8) as usize
}

const fn encoded_len(words: &[&[u8]]) -> usize {
    let (mut len, mut word) = (0, 0);
    while word < words.len() {
        len += 8 + words[word].len().next_multiple_of(8);
        word += 1;
    }
    len
}

#[expect(clippy::cast_possible_truncation, reason = "words have a few letters")]
const fn encode<const LEN: usize>(words: &[&[u8]]) -> [u8; LEN] {
    let mut encoded = [0; LEN];
    let (mut at, mut word) = (0, 0);
    while word < words.len() {
        let bytes = words[word];
        encoded[at] = bytes.len() as u8;
        at += 8;
        let mut byte = 0;
        while byte < bytes.len() {
            encoded[at + byte] = bytes[byte];
            byte += 1;
        }
        at += bytes.len().next_multiple_of(8);
        word += 1;
    }
    encoded
}

/// How far a directory's entry is read or written. Nothing may follow one that is not done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Open,
    Done,
}

/// Inside the `io::Error`s of reader and writer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(
        "not a NAR here: `{expected}` was expected, not `{}`",
        String::from_utf8_lossy(found)
    )]
    Word { expected: &'static str, found: Vec<u8> },
    #[error("the padding holds something other than zeros")]
    Padding,
    #[error("a {what} of {len} bytes; there must be 1 to {max}")]
    Length {
        what: &'static str,
        len: u64,
        max: usize,
    },
    #[error("the target of a symbolic link holds a NUL byte")]
    Target,
    #[error("`{}` can't be the name of a file", String::from_utf8_lossy(.0).escape_debug())]
    Name(Vec<u8>),
    #[error(
        "`{}` must not come after `{}`",
        String::from_utf8_lossy(name),
        String::from_utf8_lossy(last)
    )]
    Order { name: Vec<u8>, last: Vec<u8> },
    #[error("more than {MAX_DEPTH} directories within each other")]
    Depth,
    #[error("the entry before is not done")]
    Unfinished,
    #[error("the file is longer than its {0} bytes")]
    LongFile(u64),
    #[error("the file ends {missing} bytes before its {size} bytes")]
    ShortFile { size: u64, missing: u64 },
    #[error("{count} bytes can't be consumed, {remaining} are left")]
    Consume { count: usize, remaining: u64 },
}

impl Fault {
    /// Of an archive that is read.
    pub(super) fn of_archive(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// Of what the caller wants to do.
    pub(super) fn of_caller(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, self)
    }
}

/// Whether a directory may have `name` after `last`, which is empty before the first.
pub(super) fn check_name(name: &[u8], last: &[u8]) -> Result<(), Fault> {
    check_len("name", name.len() as u64, MAX_NAME_LEN)?;
    if matches!(name, b"." | b"..") || name.contains(&b'/') || name.contains(&0) {
        return Err(Fault::Name(name.to_owned()));
    }
    match name.cmp(last) {
        Ordering::Greater => Ok(()),
        _ => Err(Fault::Order {
            name: name.to_owned(),
            last: last.to_owned(),
        }),
    }
}

/// Whether a symbolic link may point there.
pub(super) fn check_target(target: &[u8]) -> Result<(), Fault> {
    check_len("target", target.len() as u64, MAX_TARGET_LEN)?;
    if target.contains(&0) {
        Err(Fault::Target)
    } else {
        Ok(())
    }
}

/// Before anything of that length is read.
pub(super) fn check_len(what: &'static str, len: u64, max: usize) -> Result<(), Fault> {
    if len == 0 || len > max as u64 {
        Err(Fault::Length { what, len, max })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_in_an_archive() {
        assert_eq!(MAGIC, b"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0");
        assert_eq!(
            CLOSE_ENTRY,
            b"\x01\0\0\0\0\0\0\0)\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0)\0\0\0\0\0\0\0"
        );
        assert_eq!(EXECUTABLE.len(), 16 + 16 + 16 + 24 + 8 + 16);
        assert_eq!([0, 1, 7, 8, 9, u64::MAX].map(padding), [0, 7, 1, 0, 7, 1]);
    }
}
