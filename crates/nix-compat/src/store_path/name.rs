//! Which names a store path may have. The rules are those that `nix store add --name` shows.

use super::Error;

/// A path in the store must fit a file name: 255 bytes, less the digest, the dash and `.lock` or the like.
const MAX_NAME_LEN: usize = 211;

/// The name as text, if a store path may have it.
pub(crate) fn validate_name(name: &[u8]) -> Result<&str, Error> {
    if name.is_empty() || name.len() > MAX_NAME_LEN {
        return Err(Error::InvalidLength);
    }
    let refused = |position: usize| {
        let position = position.try_into().expect("a name has at most 211 bytes");
        Error::InvalidName(name.to_owned(), position)
    };
    // `.` and `..` would be directories of their own, alone or where a name is cut at its first dash.
    if matches!(name, b"." | b".." | [b'.', b'-', ..] | [b'.', b'.', b'-', ..]) {
        return Err(refused(0));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._?=".contains(&byte);
    match name.iter().position(|&byte| !allowed(byte)) {
        Some(position) => Err(refused(position)),
        None => Ok(std::str::from_utf8(name).expect("only ASCII was let through")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_as_nix_allows_them() {
        for name in [".a", "..a", "...-b", "-x", "_", "=", "A?+", &"x".repeat(211)] {
            assert_eq!(validate_name(name.as_bytes()), Ok(name));
        }
        for (name, position) in [
            (".", 0),
            ("..", 0),
            (".-a", 0),
            ("..-b", 0),
            ("a b", 1),
            ("x\u{e9}", 1),
            ("a/", 1),
        ] {
            assert_eq!(
                validate_name(name.as_bytes()),
                Err(Error::InvalidName(name.into(), position))
            );
        }
        for name in [String::new(), "x".repeat(212)] {
            assert_eq!(validate_name(name.as_bytes()), Err(Error::InvalidLength));
        }
    }
}
