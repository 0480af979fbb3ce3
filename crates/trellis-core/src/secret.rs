//! A text that must never be printed: a key, a token.
//!
//! No `Display`, no serialisation: whoever needs the text calls [`Secret::reveal`], which a review can find.

use std::fmt;

/// A secret that can be sent in an HTTP header.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// Text that can stand in a header: not empty, ASCII without spaces. Space around it does not belong to it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(text.to_owned()))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_word_and_is_not_printed() {
        let secret = Secret::parse(" s3cret\n").expect("a word");
        assert_eq!(secret.reveal(), "s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        for bad in ["", " \n", "two words", "pass\u{e9}", "a\u{0}b"] {
            assert_eq!(Secret::parse(bad), None, "{bad:?}");
        }
    }
}
