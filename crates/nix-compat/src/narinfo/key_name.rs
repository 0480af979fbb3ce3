//! `<key name>:<base 64>`, the form of signatures and both kinds of keys.

use data_encoding::DecodeError;

use crate::base64;

/// What each of the three error types says in words of its own.
pub(super) enum Malformed<'a> {
    Separator,
    Name(&'a str),
    Bytes(&'a str),
}

/// The name and the decoded bytes. Nix takes any name that is not empty; a line break would end it in a file.
pub(super) fn split(input: &str) -> Result<(&str, Vec<u8>), Malformed<'_>> {
    let (name, bytes) = input.split_once(':').ok_or(Malformed::Separator)?;
    if name.is_empty() || name.contains(['\n', '\r']) {
        return Err(Malformed::Name(name));
    }
    let decoded: Result<_, DecodeError> = base64::decode(bytes.as_bytes());
    Ok((name, decoded.map_err(|_| Malformed::Bytes(bytes))?))
}
