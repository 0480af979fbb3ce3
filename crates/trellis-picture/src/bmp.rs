//! Whether the pixels of a BMP are all there.
//!
//! Format: Microsoft's `BITMAPFILEHEADER`, `BITMAPCOREHEADER` and `BITMAPINFOHEADER`, and "Bitmap Compression" for
//! runs. Not here: anything that the decoder refuses by its header.

use crate::flaw::Flaw;

/// Pixels in runs, of 8 and of 4 bits.
const RUNS: [u32; 2] = [1, 2];

/// Whether as many bytes follow as `width × height` pixels need, or runs up to the end mark.
pub(crate) fn check(bytes: &[u8], width: u32, height: u32) -> Result<(), Flaw> {
    let headers = || {
        let pixels_at = word(bytes, 10)?;
        // The short header of OS/2 1.x has sides of two bytes, and no compression.
        if word(bytes, 14)? == 12 {
            return Some((pixels_at, half_word(bytes, 24)?, 0));
        }
        Some((pixels_at, half_word(bytes, 28)?, word(bytes, 30)?))
    };
    let (pixels_at, bits, compression) = headers().ok_or(Flaw::CutShort)?;
    let pixels = bytes.get(pixels_at as usize..).ok_or(Flaw::CutShort)?;
    if RUNS.contains(&compression) {
        return runs(pixels, bits, height).ok_or(Flaw::CutShort);
    }
    // Rows lie at multiples of four bytes.
    let row_bytes = (u64::from(width) * u64::from(bits)).div_ceil(32) * 4;
    if row_bytes * u64::from(height) <= pixels.len() as u64 {
        Ok(())
    } else {
        Err(Flaw::CutShort)
    }
}

/// Follows runs up to the end mark or the last row's end. `None`: the file ends before.
fn runs(pixels: &[u8], bits: u16, height: u32) -> Option<()> {
    let mut at = 0;
    let mut row = 0;
    while row < height {
        let &[count, value] = pixels.get(at..at + 2)?.first_chunk()?;
        at += 2;
        match (count, value) {
            (0, 0) => row += 1,
            (0, 1) => return Some(()),
            (0, 2) => {
                row += u32::from(*pixels.get(at + 1)?);
                at += 2;
            }
            // Single pixels, in pairs of bytes.
            (0, pixels_given) => {
                let given = usize::from(pixels_given);
                let content = if bits == 4 { given.div_ceil(2) } else { given };
                at += content.next_multiple_of(2);
            }
            _ => {}
        }
    }
    (at <= pixels.len()).then_some(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_le_bytes(*word))
}

fn half_word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| u16::from_le_bytes(*word))
}
