//! Reads `data:` URIs (RFC 2397) that hold base64.
//!
//! The media type that a URI claims is not trusted: what a picture is is told by its bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

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
    #[error("its content is not base64 (RFC 4648, section 4)")]
    Content,
}

/// The bytes of `uri`.
pub(crate) fn decode(uri: &str) -> Result<Bytes, DataUriError> {
    let scheme = uri.get(..5).ok_or(DataUriError::Scheme)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return Err(DataUriError::Scheme);
    }
    let (media_type, content) = uri[5..].split_once(',').ok_or(DataUriError::Encoding)?;
    let marker_at = media_type
        .len()
        .checked_sub(";base64".len())
        .ok_or(DataUriError::Encoding)?;
    match media_type.get(marker_at..) {
        Some(marker) if marker.eq_ignore_ascii_case(";base64") => {}
        _ => return Err(DataUriError::Encoding),
    }
    let bytes = STANDARD.decode(content).map_err(|_| DataUriError::Content)?;
    Ok(Bytes::from(bytes))
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
            ("data:image/png;base64,a-_k", Err(DataUriError::Content)),
            ("data:image/png;base64,aGk", Err(DataUriError::Content)),
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
            let uri = format!("data:{media_type};base64,{}", STANDARD.encode(&content));
            prop_assert_eq!(decode(&uri), Ok(Bytes::from(content)));
        }
    }
}
