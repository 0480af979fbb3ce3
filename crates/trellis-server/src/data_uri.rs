//! Reads `data:` URIs (RFC 2397) that hold base64, as they come.
//!
//! The media type that a URI claims is not trusted: what a picture is is told by its bytes. Base64 is taken as
//! tools write it: in lines (`base64` without `-w0`), with the alphabet for URLs (RFC 4648, section 5), with or
//! without padding, and escaped with `%` as a URI may be.

use std::io::{self, BufRead as _, BufReader, Read};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding may be there or not; the last bits beyond the bytes must be zero, so that cut base64 is noticed.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// What may stand before the content, bytes: a media type with its parameters.
const LONGEST_HEAD: u64 = 1024;
/// Signs of base64 that are decoded at a time; four are three bytes.
const BLOCK: usize = 64 << 10;

/// Why a text is not a data URI with bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DataUriError {
    /// Another kind of text, such as a web address.
    #[error("it does not start with `data:`")]
    Scheme,
    /// There is no `;base64,`.
    #[error("it has no `;base64,` before the content")]
    Encoding,
    /// The content is not base64.
    #[error("its content is not base64 (RFC 4648)")]
    Content,
}

/// Why the bytes of a URI were not handed over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// It is not a data URI.
    #[error(transparent)]
    Uri(#[from] DataUriError),
    /// The text could not be read, or nobody takes its bytes.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Hands the bytes of `uri` to `take`, some at a time and in order. What was handed over before an error counts
/// for nothing.
pub(crate) fn copy(uri: impl Read, take: impl FnMut(Vec<u8>) -> io::Result<()>) -> Result<(), CopyError> {
    copy_in_blocks(uri, BLOCK, take)
}

/// The same of a URI or, as some clients send it, of base64 without anything before it.
pub(crate) fn copy_or_bare(
    mut text: impl Read,
    take: impl FnMut(Vec<u8>) -> io::Result<()>,
) -> Result<(), CopyError> {
    let mut beginning = Vec::new();
    text.by_ref().take(5).read_to_end(&mut beginning)?;
    let is_uri = beginning.eq_ignore_ascii_case(b"data:");
    let head: &[u8] = if is_uri { b"" } else { b"data:;base64," };
    copy(head.chain(beginning.as_slice()).chain(text), take)
}

fn copy_in_blocks(
    uri: impl Read,
    block: usize,
    take: impl FnMut(Vec<u8>) -> io::Result<()>,
) -> Result<(), CopyError> {
    let mut uri = BufReader::with_capacity(BLOCK, uri);
    let mut head = Vec::new();
    uri.by_ref().take(LONGEST_HEAD).read_until(b',', &mut head)?;
    check_head(&String::from_utf8_lossy(&head))?;
    let mut content = Content {
        block,
        plain: Vec::with_capacity(block),
        escape: Escape::None,
        padded: false,
        take,
    };
    loop {
        let part = uri.fill_buf()?;
        if part.is_empty() {
            return content.end();
        }
        for byte in part {
            content.push(*byte)?;
        }
        let length = part.len();
        uri.consume(length);
    }
}

/// What stands before the content, the comma included.
fn check_head(head: &str) -> Result<(), DataUriError> {
    let head = head.trim_start();
    let scheme = head.get(..5).ok_or(DataUriError::Scheme)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return Err(DataUriError::Scheme);
    }
    let media_type = head[5..].strip_suffix(',').ok_or(DataUriError::Encoding)?;
    let media_type = media_type.trim_end();
    let marker_at = media_type.len().checked_sub(";base64".len());
    match marker_at.and_then(|at| media_type.get(at..)) {
        Some(marker) if marker.eq_ignore_ascii_case(";base64") => Ok(()),
        _ => Err(DataUriError::Encoding),
    }
}

/// An escape that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Percent,
    High(u8),
}

/// Content that is read sign by sign.
struct Content<F> {
    block: usize,
    /// Signs of the standard alphabet that are not decoded yet.
    plain: Vec<u8>,
    escape: Escape,
    /// Whether padding came, which ends the content.
    padded: bool,
    take: F,
}

impl<F: FnMut(Vec<u8>) -> io::Result<()>> Content<F> {
    fn push(&mut self, byte: u8) -> Result<(), CopyError> {
        let digit = |byte: u8| match char::from(byte).to_digit(16) {
            Some(digit) => u8::try_from(digit).map_err(|_| DataUriError::Content),
            None => Err(DataUriError::Content),
        };
        let byte = match (self.escape, byte) {
            (Escape::None, b'%') => {
                self.escape = Escape::Percent;
                return Ok(());
            }
            (Escape::None, byte) => byte,
            (Escape::Percent, high) => {
                self.escape = Escape::High(digit(high)?);
                return Ok(());
            }
            (Escape::High(high), low) => {
                self.escape = Escape::None;
                high << 4 | digit(low)?
            }
        };
        match byte {
            b'-' => self.plain.push(b'+'),
            b'_' => self.plain.push(b'/'),
            byte if byte.is_ascii_whitespace() => return Ok(()),
            byte => self.plain.push(byte),
        }
        if self.plain.len() == self.block {
            self.decode()?;
        }
        Ok(())
    }

    fn decode(&mut self) -> Result<(), CopyError> {
        if self.padded {
            return Err(DataUriError::Content.into());
        }
        self.padded = self.plain.ends_with(b"=");
        let bytes = BASE64.decode(&self.plain).map_err(|_| DataUriError::Content)?;
        self.plain.clear();
        Ok((self.take)(bytes)?)
    }

    fn end(mut self) -> Result<(), CopyError> {
        if self.escape != Escape::None {
            return Err(DataUriError::Content.into());
        }
        if !self.plain.is_empty() {
            self.decode()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(uri: &str, block: usize) -> Result<Vec<u8>, DataUriError> {
        let mut bytes = Vec::new();
        let copied = copy_in_blocks(uri.as_bytes(), block, |part| {
            bytes.extend(part);
            Ok(())
        });
        match copied {
            Ok(()) => Ok(bytes),
            Err(CopyError::Uri(error)) => Err(error),
            Err(CopyError::Io(error)) => panic!("memory can be read: {error}"),
        }
    }

    #[test]
    fn table() {
        for (uri, expected) in [
            ("data:image/png;base64,aGk=", Ok("hi")),
            ("DATA:image/png;Base64,aGk=", Ok("hi")),
            ("data:;base64,aGk=", Ok("hi")),
            ("data:image/png;name=a;base64,aGk=", Ok("hi")),
            ("data:image/png;base64,", Ok("")),
            ("https://example.org/a.png", Err(DataUriError::Scheme)),
            ("aGk=", Err(DataUriError::Scheme)),
            ("", Err(DataUriError::Scheme)),
            ("datä:;base64,", Err(DataUriError::Scheme)),
            ("data:image/png,aGk=", Err(DataUriError::Encoding)),
            ("data:image/png;base64", Err(DataUriError::Encoding)),
            ("data:é;base6ü,aGk=", Err(DataUriError::Encoding)),
            ("data:image/png;base64,aGk", Ok("hi")),
            ("data:image/png;base64,aG\r\nk=\n", Ok("hi")),
            (" data:image/png;base64 , a G k =\t", Ok("hi")),
            ("data:image/png;base64,aGk%3D", Ok("hi")),
            ("data:image/png;base64,aG%0Ak%3d", Ok("hi")),
            ("data:image/png;base64,Pz8_", Ok("???")),
            ("data:image/png;base64,Pj4-", Ok(">>>")),
            ("data:image/png;base64,Pj4%2B", Ok(">>>")),
            ("data:image/png;base64,aGkhaGkhaGkh", Ok("hi!hi!hi!")),
            ("data:image/png;base64,a", Err(DataUriError::Content)),
            ("data:image/png;base64,aGl", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk%", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk%3", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk%zz", Err(DataUriError::Content)),
            ("data:image/png;base64,a*k=", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk=aGk=", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk==", Err(DataUriError::Content)),
            ("data:image/png;base64,aGkh=", Err(DataUriError::Content)),
        ] {
            let expected = expected.map(|text| text.as_bytes().to_vec());
            for block in [4, 8, BLOCK] {
                assert_eq!(decoded(uri, block), expected, "{uri} in blocks of {block}");
            }
        }
    }

    #[test]
    fn a_media_type_has_a_limit() {
        let head = format!("data:{};base64,", "a".repeat(2000));
        assert_eq!(decoded(&head, BLOCK), Err(DataUriError::Encoding));
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_means_the_same_in_blocks(uri in "(data:)?[^,]{0,20}(;base64,)?[A-Za-z0-9=]{0,20}.*") {
            prop_assert_eq!(decoded(&uri, 4), decoded(&uri, BLOCK));
        }

        #[test]
        fn what_is_printed_is_read_back(content in prop::collection::vec(any::<u8>(), 0..200), media_type in "[a-z]{0,8}(/[a-z+.-]{0,8})?", block in 1..20_usize) {
            let uri = format!("data:{media_type};base64,{}", BASE64.encode(&content));
            prop_assert_eq!(decoded(&uri, 4 * block), Ok(content));
        }
    }
}
