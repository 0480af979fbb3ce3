//! The hub's access token: where it is found, and that it is never printed.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// Text that can be sent in a header: not empty, ASCII without spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(text.to_owned()))
    }

    /// From `HF_TOKEN`, its older name, the file in `HF_TOKEN_PATH`, or `token` in the hub's folder.
    pub fn find(get: impl Fn(&str) -> Option<OsString>, hub_home: &Path) -> Option<Self> {
        let variable = |name| Self::parse(get(name)?.to_str()?);
        let file = || {
            let path = get("HF_TOKEN_PATH").map_or_else(|| hub_home.join("token"), PathBuf::from);
            Self::parse(&fs::read_to_string(path).ok()?)
        };
        variable("HF_TOKEN")
            .or_else(|| variable("HUGGING_FACE_HUB_TOKEN"))
            .or_else(file)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_before_the_file_and_neither_is_printed() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let found = Token::find(|_| None, home.path()).unwrap();
        assert_eq!(found.reveal(), "hf_file");
        let variable = |name: &str| (name == "HF_TOKEN").then(|| OsString::from("hf_variable"));
        let found = Token::find(variable, home.path()).unwrap();
        assert_eq!(found.reveal(), "hf_variable");
        assert_eq!(format!("{found:?}"), "Token(***)");
        assert_eq!(Token::parse("two words"), None);
    }
}
