//! Tells text by its content: web pages, drawings, error answers, pointers, pictures written as text.

use crate::ForeignFile;

/// How much of a file is looked at.
const LOOKED_AT: usize = 4096;

/// What kind of text this is; `None` if it is not text.
pub(crate) fn recognise(bytes: &[u8]) -> Option<ForeignFile> {
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let text = as_text(head)?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_ascii_lowercase();
    let has = |part: &str| lower.contains(part);
    Some(if text.starts_with("version https://git-lfs.github.com/spec/") {
        ForeignFile::LfsPointer
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        ForeignFile::WebPage
    } else if lower.starts_with('<') {
        match () {
            () if has("<svg") => ForeignFile::Svg,
            () if has("<html") || has("<head") || has("<body") || has("<script") || has("<div") => {
                ForeignFile::WebPage
            }
            () if lower.starts_with("<?xml") || has("</") || has("/>") => ForeignFile::Xml,
            () => ForeignFile::Text,
        }
    } else if is_json(text) {
        ForeignFile::Json
    } else if is_base64(text) {
        ForeignFile::Base64
    } else if ["ply\n", "ply\r\n", "solid "]
        .iter()
        .any(|start| text.starts_with(start))
    {
        ForeignFile::Model
    } else if text.starts_with("%PDF-") {
        ForeignFile::Pdf
    } else if text.starts_with("%!PS") {
        ForeignFile::PostScript
    } else {
        ForeignFile::Text
    })
}

/// UTF-8, perhaps cut within a character, or UTF-16 with its mark; without control characters that text
/// does not have.
fn as_text(head: &[u8]) -> Option<String> {
    let text = match head {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => match str::from_utf8(head) {
            Ok(text) => text.to_owned(),
            Err(error) if error.error_len().is_none() => {
                String::from_utf8_lossy(&head[..error.valid_up_to()]).into_owned()
            }
            Err(_) => return None,
        },
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}');
    (!text.is_empty() && !text.contains(odd)).then_some(text)
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Option<String> {
    let units = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    let text: Option<String> = char::decode_utf16(units).map(Result::ok).collect();
    text
}

/// An object or a list: its first sign, and what may follow it.
fn is_json(text: &str) -> bool {
    let after = |open| {
        text.strip_prefix(open)
            .map(|rest: &str| rest.trim_start().chars().next())
    };
    match (after('{'), after('[')) {
        (Some(next), _) => matches!(next, Some('"' | '}')),
        (_, Some(next)) => matches!(next, Some('{' | '[' | '"' | ']' | '-' | '0'..='9')),
        _ => false,
    }
}

/// A data URI of a picture, or the start of one of the formats in base64.
fn is_base64(text: &str) -> bool {
    const STARTS: [&str; 6] = [
        "data:image/",
        "iVBORw0KGgo",
        "/9j/",
        "UklGR",
        "R0lGODlh",
        "R0lGODdh",
    ];
    STARTS.iter().any(|start| text.starts_with(start))
}
