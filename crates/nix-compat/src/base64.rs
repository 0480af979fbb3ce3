//! Base 64 as Nix reads it: up to the first `=`, line feeds skipped, unused bits not looked at.
//!
//! Written form: `data_encoding::BASE64`. Laxness measured with `nix hash convert` (tests/goldens).

use std::sync::LazyLock;

use data_encoding::{DecodeError, Encoding, Specification};

static LAX: LazyLock<Encoding> = LazyLock::new(|| {
    let mut rules = Specification::new();
    rules
        .symbols
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    rules.ignore.push('\n');
    rules.check_trailing_bits = false;
    rules.encoding().expect("64 symbols, none of them twice")
});

/// The bytes that Nix would see in `text`.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let end = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
    LAX.decode(&text[..end])
}
