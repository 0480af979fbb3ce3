//! Digests of files, as jobs list them.

use std::fmt::Write as _;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// The same of everything that can be read, and how many bytes that is. Blocks.
pub fn sha256_of(mut source: impl Read) -> io::Result<(u64, String)> {
    let mut digest = Sha256::new();
    let mut part = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        match source.read(&mut part)? {
            0 => return Ok((size, hexadecimal(digest))),
            read => {
                digest.update(&part[..read]);
                size += read as u64;
            }
        }
    }
}

fn hexadecimal(digest: Sha256) -> String {
    digest
        .finalize()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes everything");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
        assert_eq!(sha256_of(&b"abc"[..]).unwrap(), (3, abc.to_owned()));
    }
}
