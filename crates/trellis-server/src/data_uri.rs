//! Reads `data:` URIs (RFC 2397) that hold base64.
//!
//! The media type that a URI claims is not trusted: what a picture is is told by its bytes. Base64 is taken as
//! tools write it: in lines (`base64` without `-w0`), with the alphabet for URLs (RFC 4648, section 5), with or
//! without padding, and escaped with `%` as a URI may be.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

/// Padding may be there or not; the last bits beyond the bytes must be zero, so that cut base64 is noticed.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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

/// The bytes of `uri`.
pub(crate) fn decode(uri: &str) -> Result<Bytes, DataUriError> {
    let uri = uri.trim();
    let scheme = uri.get(..5).ok_or(DataUriError::Scheme)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return Err(DataUriError::Scheme);
    }
    let (media_type, content) = uri[5..].split_once(',').ok_or(DataUriError::Encoding)?;
    let media_type = media_type.trim_end();
    let marker_at = media_type
        .len()
        .checked_sub(";base64".len())
        .ok_or(DataUriError::Encoding)?;
    match media_type.get(marker_at..) {
        Some(marker) if marker.eq_ignore_ascii_case(";base64") => {}
        _ => return Err(DataUriError::Encoding),
    }
    let plain = in_standard_form(content).ok_or(DataUriError::Content)?;
    let bytes = BASE64.decode(plain).map_err(|_| DataUriError::Content)?;
    Ok(Bytes::from(bytes))
}

/// The content in one line of the standard alphabet. `None`: a `%` that escapes nothing.
fn in_standard_form(content: &str) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(content.len());
    let mut bytes = content.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        };
        match byte {
            b'-' => plain.push(b'+'),
            b'_' => plain.push(b'/'),
            byte if byte.is_ascii_whitespace() => {}
            byte => plain.push(byte),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            ("data:image/png;base64,a", Err(DataUriError::Content)),
            ("data:image/png;base64,aGl", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk%", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk%3", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk%zz", Err(DataUriError::Content)),
            ("data:image/png;base64,a*k=", Err(DataUriError::Content)),
        ] {
            let expected = expected.map(|text| Bytes::from_static(text.as_bytes()));
            assert_eq!(decode(uri), expected, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(uri in "(data:)?[^,]{0,20}(;base64,)?.*") {
            let _ = decode(&uri);
        }

        #[test]
        fn what_is_printed_is_read_back(content in prop::collection::vec(any::<u8>(), 0..200), media_type in "[a-z]{0,8}(/[a-z+.-]{0,8})?") {
            let uri = format!("data:{media_type};base64,{}", BASE64.encode(&content));
            prop_assert_eq!(decode(&uri), Ok(Bytes::from(content)));
        }
    }
}
