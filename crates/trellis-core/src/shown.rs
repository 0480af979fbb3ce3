//! Text of others made fit to be read: a terminal obeys control characters, and marks of writing direction make a name
//! look like another one.
//!
//! Not here: how much of a text is taken, which each reader decides.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest file name that is taken from others.
const LONGEST_NAME: usize = 100;

/// The text with control characters and marks of direction written as JSON writes them (`\u001b`), so that JSON stays
/// the same JSON. Line breaks and tabs stay.
///
/// ```
/// assert_eq!(trellis_core::plain_text("a\x1b[31m\tb\n"), "a\\u001b[31m\tb\n");
/// ```
pub fn plain_text(text: &str) -> Cow<'_, str> {
    let odd = |letter: char| is_odd(letter) && !matches!(letter, '\n' | '\t');
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if odd(letter) {
            let _ = write!(plain, "\\u{:04x}", u32::from(letter));
        } else {
            plain.push(letter);
        }
    }
    Cow::Owned(plain)
}

/// One line of at most `longest` characters, cut with `…`: line breaks and tabs are blanks, and `�` stands for whatever
/// else does not show.
///
/// ```
/// assert_eq!(trellis_core::plain_line("two\nlines\x07, or more", 12), "two lines�,…");
/// ```
pub fn plain_line(text: &str, longest: usize) -> String {
    let plain = |letter| match letter {
        '\n' | '\r' | '\t' => ' ',
        letter if is_odd(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    let mut line: String = text.chars().take(longest).map(plain).collect();
    if text.chars().nth(longest).is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// Whether a file's name is one path segment that means the same in a URL, in a header and on every file system.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn is_odd(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_path_traversal_in_file_name() {
        for name in [
            "", ".", "..", "../x", "a/b", "a\\b", ".hidden", "x\0", "x\n", "m.glb#1", "é.glb",
        ] {
            assert!(!is_plain_name(name), "{name:?}");
        }
        assert!(!is_plain_name(&"x".repeat(101)));
        assert!(is_plain_name("model_2-b.glb"));
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, plain) in [
            ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
            ("over\rwritten\x08", "over\\u000dwritten\\u0008"),
            ("\u{9b}31m\u{7f}", "\\u009b31m\\u007f"),
            ("glb.\u{202e}exe", "glb.\\u202eexe"),
        ] {
            assert_eq!(plain_text(text), plain);
        }
        let fine = "Ünïcödé 椅子 👩‍🚀\n\tdone";
        assert!(matches!(plain_text(fine), Cow::Borrowed(same) if same == fine));
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "name": "a\u{7f}\u{9b}\u{202e}\x1b" });
        let printed = plain_text(&value.to_string()).into_owned();
        assert!(!printed.contains(is_odd));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&printed).unwrap(),
            value
        );
    }

    #[test]
    fn a_line_is_cut_where_it_is_too_long() {
        assert_eq!(plain_line("äöü", 3), "äöü");
        assert_eq!(plain_line("äöüß", 3), "äö…");
        assert_eq!(plain_line(" a\r\n\u{1b}b", 9), " a  \u{fffd}b");
        assert_eq!(plain_line(&"x".repeat(300_000), 500).chars().count(), 500);
    }
}
