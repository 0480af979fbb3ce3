//! What an asset is called inside its files, after its first picture: `my chair.png` makes `my chair`.
//!
//! A picture's file name is anybody's text. What is kept of it is short and safe to show, and to write into
//! a glTF, an OBJ or a file name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a name at most. With the preview's label behind it, it still fits into the 63 bytes that Blender
/// keeps of a name.
const MAX_BYTES: usize = 40;

/// The name of an asset whose picture came without one.
const NEUTRAL: &str = "model";

/// A name: letters and digits of any script, blanks and `-_.()`, 1 to 40 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 40))]
#[serde(from = "String", into = "String")]
pub struct AssetName(String);

impl AssetName {
    /// The name that a picture's file name gives: without folders and ending. `None` where nothing is left.
    pub fn of_file(file_name: &str) -> Option<Self> {
        // A browser on Windows may send a whole path.
        let base = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = match base.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => base,
        };
        cleaned(stem).map(Self)
    }

    /// The name that somebody gives, cleaned. `None` where nothing is left.
    pub fn of_text(text: &str) -> Option<Self> {
        cleaned(text).map(Self)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for AssetName {
    fn default() -> Self {
        Self(NEUTRAL.to_owned())
    }
}

/// What was written by somebody else is cleaned like a file name.
impl From<String> for AssetName {
    fn from(text: String) -> Self {
        cleaned(&text).map(Self).unwrap_or_default()
    }
}

impl From<AssetName> for String {
    fn from(name: AssetName) -> Self {
        name.0
    }
}

impl fmt::Display for AssetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn cleaned(text: &str) -> Option<String> {
    // The last are accents by themselves: macOS writes `ü` as two characters.
    let plain = |letter: char| {
        letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | '(' | ')' | '\u{300}'..='\u{36f}')
    };
    let mut name = String::new();
    for letter in text.chars() {
        let letter = match letter {
            letter if letter.is_whitespace() || letter.is_control() => ' ',
            letter if plain(letter) => letter,
            _ => '_',
        };
        if letter == ' ' && (name.is_empty() || name.ends_with(' ')) {
            continue;
        }
        if name.len() + letter.len_utf8() > MAX_BYTES {
            break;
        }
        name.push(letter);
    }
    // A name that begins with a dot hides a file.
    let name = name.trim_matches([' ', '.']);
    name.contains(char::is_alphanumeric).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(file_name: &str) -> Option<String> {
        AssetName::of_file(file_name).map(String::from)
    }

    #[test]
    fn a_file_name_loses_its_folders_and_its_ending() {
        for (file_name, name) in [
            ("chair.png", "chair"),
            ("my  chair.v2.jpeg", "my chair.v2"),
            ("C:\\photos\\stuhl grün.webp", "stuhl grün"),
            ("../../etc/passwd", "passwd"),
            ("椅子.png", "椅子"),
            ("gru\u{308}n.png", "gru\u{308}n"),
            ("a\"b\n<c>.png", "a_b _c_"),
            (".png", "png"),
        ] {
            assert_eq!(named(file_name).as_deref(), Some(name), "{file_name:?}");
        }
        for nothing in ["", "/", "???.png", "..", "   .png"] {
            assert_eq!(named(nothing), None, "{nothing:?}");
        }
        assert_eq!(AssetName::default().as_str(), "model");
        let given = AssetName::of_text(" chair v1.2\n");
        assert_eq!(given.map(String::from).as_deref(), Some("chair v1.2"));
        assert_eq!(AssetName::of_text("?!"), None);
    }

    proptest! {
        #[test]
        fn a_name_is_short_and_plain_and_stays_what_it_is(text in any::<String>()) {
            let name = AssetName::from(text);
            prop_assert!((1..=MAX_BYTES).contains(&name.0.len()));
            prop_assert!(!name.0.contains(|letter: char| letter.is_control() || "/\\\"<>#".contains(letter)));
            prop_assert_eq!(AssetName::from(name.0.clone()), name);
        }
    }
}
