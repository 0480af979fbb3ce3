//! Nix's base 32: `0`–`9` and `a`–`z` without `e`, `o`, `t`, `u`; no padding.
//!
//! The input is one little-endian number, written from its highest digit to its lowest: the first character holds
//! what is left of the last byte. So strings sort as the reversed bytes do.

use data_encoding::{DecodeError, DecodeKind};

const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// The value of each byte as a digit, or [`NO_DIGIT`].
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        #[expect(clippy::cast_possible_truncation, reason = "below 32")]
        {
            digits[ALPHABET[value] as usize] = value as u8;
        }
        value += 1;
    }
    digits
};

const NO_DIGIT: u8 = 0xff;

/// Writes bytes, in [`encode_len`] characters.
pub fn encode(input: &[u8]) -> String {
    (0..encode_len(input.len()))
        .rev()
        .map(|digit| {
            let (byte, shift) = (digit * 5 / 8, digit * 5 % 8);
            let low = u16::from(input[byte]);
            let high = input.get(byte + 1).copied().map_or(0, u16::from);
            char::from(ALPHABET[usize::from((high << 8 | low) >> shift) & 31])
        })
        .collect()
}

/// Reads bytes of any length.
///
/// # Errors
/// A character that is no digit (`Symbol`), bits set beyond the last byte (`Trailing`), or a length that no bytes
/// are written in (`Length`).
pub fn decode(input: impl AsRef<[u8]>) -> Result<Vec<u8>, DecodeError> {
    let input = input.as_ref();
    let mut output = vec![0; decode_len(input.len())];
    decode_into(input, &mut output)?;
    Ok(output)
}

/// Reads exactly `K` bytes, without allocating. Errors as [`decode`]; another length is `Length`.
pub fn decode_fixed<const K: usize>(input: impl AsRef<[u8]>) -> Result<[u8; K], DecodeError> {
    let mut output = [0; K];
    decode_into(input.as_ref(), &mut output)?;
    Ok(output)
}

/// How many bytes `len` characters hold.
pub const fn decode_len(len: usize) -> usize {
    // As `len * 5 / 8`, without the product, which can overflow.
    len / 8 * 5 + len % 8 * 5 / 8
}

/// How many characters `len` bytes take: 20 → 32, 32 → 52.
pub const fn encode_len(len: usize) -> usize {
    len / 5 * 8 + (len % 5 * 8).div_ceil(5)
}

/// `output` is zeroed and as long as the caller wants it.
fn decode_into(input: &[u8], output: &mut [u8]) -> Result<(), DecodeError> {
    let expected = encode_len(output.len());
    if input.len() != expected {
        let position = input.len().min(expected);
        return Err(DecodeError {
            position,
            kind: DecodeKind::Length,
        });
    }
    for (digit, (position, &symbol)) in input.iter().enumerate().rev().enumerate() {
        let value = DIGITS[usize::from(symbol)];
        if value == NO_DIGIT {
            return Err(DecodeError {
                position,
                kind: DecodeKind::Symbol,
            });
        }
        let (byte, shift) = (digit * 5 / 8, digit * 5 % 8);
        let [low, high] = (u16::from(value) << shift).to_le_bytes();
        output[byte] |= low;
        match output.get_mut(byte + 1) {
            Some(next) => *next |= high,
            None if high != 0 => {
                return Err(DecodeError {
                    position,
                    kind: DecodeKind::Trailing,
                });
            }
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_and_why_it_cannot_read() {
        let error = |text: &str| decode(text).map_err(|error| (error.position, error.kind));
        assert_eq!(error("0").unwrap_err(), (0, DecodeKind::Length));
        assert_eq!(error("00000e").unwrap_err().1, DecodeKind::Length);
        assert_eq!(error("0e").unwrap_err(), (1, DecodeKind::Symbol));
        assert_eq!(error("\u{e9}").unwrap_err(), (1, DecodeKind::Symbol));
        assert_eq!(error("80").unwrap_err(), (0, DecodeKind::Trailing));
        assert_eq!(decode("7z").unwrap(), [0xff]);
        let short = decode_fixed::<20>("7z").unwrap_err();
        assert_eq!((short.position, short.kind), (2, DecodeKind::Length));
    }

    #[test]
    fn lengths_agree() {
        for (bytes, characters) in [(0, 0), (1, 2), (16, 26), (20, 32), (32, 52), (64, 103)] {
            assert_eq!(encode_len(bytes), characters);
            assert_eq!(decode_len(characters), bytes);
        }
        assert_eq!(decode_len(usize::MAX), usize::MAX / 8 * 5 + 4);
    }
}
