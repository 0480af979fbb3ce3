//! What people and programs leave in place of a file: told by its first bytes.
//!
//! A download that failed saves a web page or nothing, git without LFS a pointer, an editor another encoding.

/// What lies there instead of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StandIn {
    /// No bytes at all.
    #[error("is empty")]
    Empty,
    /// Space that was reserved for a download.
    #[error("contains only zeros, as after an interrupted download")]
    Zeros,
    /// What git checks out without LFS.
    #[error("is a Git LFS pointer, not the file itself")]
    LfsPointer,
    /// An error or a sign-in page, saved under this name.
    #[error("is a web page, not the file itself")]
    WebPage,
    /// What a hub answers instead of a file, saved under its name.
    #[error("is the error message of a server, not the file itself")]
    ServerMessage,
    /// Text of two bytes a character.
    #[error("is encoded as UTF-16, where UTF-8 is read")]
    Utf16,
    /// UTF-8 with a mark in front that Python's JSON reader refuses.
    #[error("starts with a byte-order mark, which TRELLIS refuses to read")]
    ByteOrderMark,
    /// Still compressed, as some servers send it.
    #[error("is compressed with gzip, not the file itself")]
    Gzip,
    /// `null`, a list, a number or a text.
    #[error("holds JSON, but not an object `{{…}}`")]
    NotAnObject,
}

/// How the answers of hubs and file servers begin where they have no file to give.
const MESSAGES: [&[u8]; 8] = [
    b"Entry not found",
    b"Repository not found",
    b"Invalid username or password",
    b"Access to model",
    b"Not Found",
    b"404",
    b"403 Forbidden",
    b"{\"error\"",
];

impl StandIn {
    /// Tells it by the beginning of a file; 512 bytes are enough.
    pub fn of(start: &[u8]) -> Option<Self> {
        let marked = start.starts_with(b"\xef\xbb\xbf");
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        let visible = text.trim_ascii_start();
        Some(match start {
            [] => Self::Empty,
            _ if start.iter().all(|byte| *byte == 0) => Self::Zeros,
            _ if visible.starts_with(b"version https://git-lfs") => Self::LfsPointer,
            _ if is_page(visible) => Self::WebPage,
            _ if MESSAGES.iter().any(|message| visible.starts_with(message)) => Self::ServerMessage,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => Self::Utf16,
            _ if marked => Self::ByteOrderMark,
            _ => return None,
        })
    }

    /// As `of`, for a file that is no text: encodings of text do not come into question.
    pub fn of_binary(start: &[u8]) -> Option<Self> {
        Self::of(start).filter(|found| !matches!(found, Self::Utf16 | Self::ByteOrderMark))
    }
}

/// Whether text opens as a page does: with a tag, a declaration or a comment.
fn is_page(text: &[u8]) -> bool {
    let lower = text[..text.len().min(16)].to_ascii_lowercase();
    let openings: [&[u8]; 6] = [b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<body"];
    openings.iter().any(|opening| lower.starts_with(opening))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_by_its_beginning() {
        let utf16: Vec<u8> = "{\"name\"".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked_utf16 = [b"\xff\xfe".as_slice(), &utf16].concat();
        for (start, wanted) in [
            (b"".as_slice(), Some(StandIn::Empty)),
            (&[0; 64], Some(StandIn::Zeros)),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                Some(StandIn::LfsPointer),
            ),
            (b"\n  <!DOCTYPE html><title>Sign in", Some(StandIn::WebPage)),
            (b"\xef\xbb\xbf<HTML>", Some(StandIn::WebPage)),
            (&utf16, Some(StandIn::Utf16)),
            (&marked_utf16, Some(StandIn::Utf16)),
            (b"\xef\xbb\xbf{}", Some(StandIn::ByteOrderMark)),
            (b"Entry not found", Some(StandIn::ServerMessage)),
            (
                b"{\"error\":\"Repository not found\"}",
                Some(StandIn::ServerMessage),
            ),
            (b"\x1f\x8b\x08\x00", Some(StandIn::Gzip)),
            (b"{\"name\": 1}", None),
            (b"PK\x03\x04", None),
        ] {
            assert_eq!(StandIn::of(start), wanted, "{start:?}");
        }
    }
}
