//! Whether machine code is for one capability only, by the flags of its own ELF header.
//!
//! The container says so too (`fatbin.rs`), but not of every piece: some of cuBLAS's code for `sm_60` has the
//! letter in its ELF header alone, where `cuobjdump` reads it. The header is 64 bytes at the payload's start,
//! as it is or as the beginning of an LZ4 block:
//!
//! ```text
//! e_ident := 7F 'E' 'L' 'F' … os_abi:u8 at 7, abi_version:u8 at 8      e_flags:u32 at 48
//! letter  := os_abi 0x33 and flag 0x800, or os_abi 0x41 and flag 0x8
//! block   := { token  literals  offset:u16  match }     token: literal length << 4 | match length − 4
//! ```
//! Source: comparing with `cuobjdump`; LZ4 by its block format description. Code compressed with Zstandard is
//! not read. Not here: anything behind the header, so nothing is allocated.

/// As many bytes of a payload as its header can take when it is compressed: 52 literals and what tells of them,
/// or matches of four bytes and more, which take three.
pub(super) const HEAD_BYTES: usize = 96;

const FLAGS_AT: usize = 48;
const NEEDED: usize = FLAGS_AT + 4;

/// How a payload is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Plain,
    Lz4,
}

/// Whether the header has the letter `a`; `None` where there is no ELF header.
pub(super) fn has_letter(payload: &[u8], storage: Storage) -> Option<bool> {
    let header = match storage {
        Storage::Plain => *payload.first_chunk()?,
        Storage::Lz4 => beginning(payload)?,
    };
    letter(&header)
}

fn letter(header: &[u8; NEEDED]) -> Option<bool> {
    let flags = u32::from_le_bytes(*header[FLAGS_AT..].first_chunk()?);
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    match header[7] {
        0x33 => Some(flags & 0x800 != 0),
        0x41 => Some(flags & 0x8 != 0),
        _ => None,
    }
}

/// The first bytes of an LZ4 block; `None` if it is damaged or shorter.
fn beginning(block: &[u8]) -> Option<[u8; NEEDED]> {
    let mut output = [0; NEEDED];
    let mut length = 0;
    let mut input = block.iter().copied();
    loop {
        let token = input.next()?;
        for _ in 0..run(token >> 4, &mut input)? {
            output[length] = input.next()?;
            length += 1;
            if length == NEEDED {
                return Some(output);
            }
        }
        let offset = usize::from(u16::from_le_bytes([input.next()?, input.next()?]));
        let from = length.checked_sub(offset).filter(|_| offset > 0)?;
        for at in from..from.checked_add(run(token & 15, &mut input)?)?.checked_add(4)? {
            // A match may reach into what it writes.
            output[length] = output[at];
            length += 1;
            if length == NEEDED {
                return Some(output);
            }
        }
    }
}

/// A length: four bits, and bytes that are added as long as they are 255.
fn run(nibble: u8, input: &mut impl Iterator<Item = u8>) -> Option<usize> {
    let mut length = usize::from(nibble);
    let mut last = if nibble == 15 { 255 } else { 0 };
    while last == 255 {
        last = input.next()?;
        length += usize::from(last);
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(os_abi: u8, flags: u32) -> Vec<u8> {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.push(os_abi);
        header.resize(FLAGS_AT, 0);
        header.extend(flags.to_le_bytes());
        header.extend([0; 12]);
        header
    }

    /// The same header as an LZ4 block: nine literals, a match of zeroes, the rest as literals.
    fn compressed(header: &[u8]) -> Vec<u8> {
        let mut block = vec![0x9F];
        block.extend(&header[..9]);
        block.extend([1, 0, 39 - 19]); // 15 + 20 + 4 bytes from one byte before
        block.push(0xF0);
        block.push(u8::try_from(header.len() - 48 - 15).unwrap());
        block.extend(&header[48..]);
        block
    }

    #[test]
    fn the_letter_is_where_each_abi_has_it() {
        for (os_abi, flags, expected) in [
            (0x33, 0x3C_0D3C, Some(true)),
            (0x33, 0x3C_053C, Some(false)),
            (0x41, 0x0600_780A, Some(true)),
            (0x41, 0x0600_7802, Some(false)),
            (0, 0xFFFF_FFFF, None),
        ] {
            let plain = header(os_abi, flags);
            assert_eq!(has_letter(&plain, Storage::Plain), expected, "{flags:#x}");
            assert_eq!(
                has_letter(&compressed(&plain), Storage::Lz4),
                expected,
                "{flags:#x}"
            );
        }
    }

    #[test]
    fn what_is_cut_short_or_no_header_is_none() {
        let block = compressed(&header(0x33, 0x800));
        for length in 0..block.len() - 12 {
            assert_eq!(has_letter(&block[..length], Storage::Lz4), None, "{length}");
        }
        assert_eq!(has_letter(&[0; 64], Storage::Plain), None);
        assert_eq!(
            has_letter(&[0x1F, 0, 0, 0, 0], Storage::Lz4),
            None,
            "a match before the start"
        );
        assert_eq!(has_letter(&[0xFF; 96], Storage::Lz4), None);
    }
}
