//! The lowest level of ATerm as Nix writes it: quoted byte strings, lists, and what stands between them.
//!
//! Grammar: `string = '"' (byte | '\' byte)* '"'`, `list = '[' [element (',' element)*] ']'`, no white space.
//! Inside a string `\n`, `\r` and `\t` are those control characters; a backslash before any other byte
//! stands for that byte. Written are `\"`, `\\`, `\n`, `\r` and `\t`, all else as it is. Source: the files
//! that Nix writes. Not here: what a derivation holds (`derivation/parse.rs`). Strings without an escape are
//! borrowed; the depth of the grammar is fixed, so nothing recurses.

use std::borrow::Cow;
use std::io::{self, Write};

mod unreadable;

use crate::derivation::ParserError;

pub(crate) use unreadable::{Problem, Unreadable};

/// Reads an ATerm from front to back.
pub(crate) struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// An error at the present place.
    pub(crate) fn stop(&self, problem: Problem) -> ParserError<&'a [u8]> {
        ParserError::Parser(Unreadable {
            rest: self.rest(),
            offset: self.at,
            problem,
        })
    }

    /// Takes `what` if it stands here.
    pub(crate) fn take(&mut self, what: &str) -> bool {
        let here = self.rest().starts_with(what.as_bytes());
        if here {
            self.at += what.len();
        }
        here
    }

    pub(crate) fn expect(&mut self, what: &'static str) -> Result<(), ParserError<&'a [u8]>> {
        if self.take(what) {
            Ok(())
        } else if what.as_bytes().starts_with(self.rest()) {
            Err(ParserError::Incomplete)
        } else {
            Err(self.stop(Problem::Expected(what)))
        }
    }

    /// Refuses anything that follows.
    pub(crate) fn end(&self) -> Result<(), ParserError<&'a [u8]>> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(self.stop(Problem::Trailing))
        }
    }

    /// A string with its escapes resolved.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, ParserError<&'a [u8]>> {
        self.expect("\"")?;
        let mut resolved = Vec::new();
        loop {
            let rest = self.rest();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\'))
                .ok_or(ParserError::Incomplete)?;
            let text = &rest[..plain];
            if rest[plain] == b'"' {
                self.at += plain + 1;
                if resolved.is_empty() {
                    return Ok(Cow::Borrowed(text));
                }
                resolved.extend_from_slice(text);
                return Ok(Cow::Owned(resolved));
            }
            resolved.extend_from_slice(text);
            resolved.push(match *rest.get(plain + 1).ok_or(ParserError::Incomplete)? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                itself => itself,
            });
            self.at += plain + 2;
        }
    }

    /// A string that has to be UTF-8; `what` names it in the error.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<String, ParserError<&'a [u8]>> {
        let bytes = self.string()?;
        String::from_utf8(bytes.into_owned()).map_err(|_| self.stop(Problem::NotUtf8(what)))
    }

    /// A list; `element` reads one element and keeps it.
    pub(crate) fn list(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), ParserError<&'a [u8]>>,
    ) -> Result<(), ParserError<&'a [u8]>> {
        self.expect("[")?;
        if self.take("]") {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.take(",") {
                return self.expect("]");
            }
        }
    }
}

/// Writes a string with its quotes and escapes.
pub(crate) fn write_string(writer: &mut impl Write, string: &[u8]) -> io::Result<()> {
    writer.write_all(b"\"")?;
    let mut rest = string;
    while let Some(plain) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t'))
    {
        writer.write_all(&rest[..plain])?;
        writer.write_all(match rest[plain] {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\t",
        })?;
        rest = &rest[plain + 1..];
    }
    writer.write_all(rest)?;
    writer.write_all(b"\"")
}

/// Writes a list, `element` by element.
pub(crate) fn write_list<W: Write, T>(
    writer: &mut W,
    elements: impl IntoIterator<Item = T>,
    mut element: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    writer.write_all(b"[")?;
    for (index, one) in elements.into_iter().enumerate() {
        if index > 0 {
            writer.write_all(b",")?;
        }
        element(writer, one)?;
    }
    writer.write_all(b"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(string: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_string(&mut bytes, string).expect("a vector takes all");
        bytes
    }

    #[test]
    fn escapes_only_what_nix_escapes() {
        assert_eq!(
            written(b"a\"b\\c\nd\re\tf\0\xff$"),
            b"\"a\\\"b\\\\c\\nd\\re\\tf\0\xff$\""
        );
    }

    #[test]
    fn borrows_a_string_without_escapes() {
        assert!(matches!(
            Scanner::new(b"\"plain\"").string(),
            Ok(Cow::Borrowed(b"plain"))
        ));
    }

    #[test]
    fn an_escape_at_the_start_is_not_lost() {
        assert_eq!(
            Scanner::new(br#""\n\"\\\x""#).string().as_deref(),
            Ok(&b"\n\"\\x"[..])
        );
    }

    #[test]
    fn tells_an_early_end_from_a_wrong_byte() {
        for cut in [&b""[..], b"\"", b"\"a", b"\"a\\", b"\"a\\\""] {
            assert_eq!(
                Scanner::new(cut).string(),
                Err(ParserError::Incomplete),
                "{}",
                cut.escape_ascii()
            );
        }
        let wrong = Scanner::new(b"a").string().expect_err("no quote");
        assert_eq!(
            wrong.to_string(),
            "cannot read the derivation: expected `\"` at byte 0, found `a`"
        );
    }

    #[test]
    fn a_list_has_no_comma_at_its_end() {
        let strings = |input: &'static [u8]| {
            let mut found = Vec::new();
            let mut scanner = Scanner::new(input);
            scanner.list(|scanner| scanner.text("an element").map(|text| found.push(text)))?;
            scanner.end().map(|()| found)
        };
        assert_eq!(strings(br#"["a","b"]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(strings(b"[]"), Ok(vec![]));
        for wrong in [&br#"["a",]"#[..], br#"["a""b"]"#, br#"[,"a"]"#, b"[]]"] {
            assert!(
                matches!(strings(wrong), Err(ParserError::Parser(_))),
                "{}",
                wrong.escape_ascii()
            );
        }
    }
}
