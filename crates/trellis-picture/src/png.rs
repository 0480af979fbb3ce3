//! What a PNG's chunks say of colours and frames, and whether the chunks with its pixels are whole.
//!
//! Format: PNG (third edition), sections 5, 11.3 and 4.3. Not here: pixels and the profile itself, which the
//! decoder unpacks.

use crate::flaw::Flaw;

/// What the chunks before the pixels say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// Code points of ITU-T H.273: primaries, transfer, matrix, range.
    pub(crate) cicp: Option<[u8; 4]>,
    /// Whether there is a profile.
    pub(crate) profile: bool,
    /// Whether it says that it is sRGB.
    pub(crate) srgb: bool,
    /// The encoding exponent, times 100 000.
    pub(crate) gamma: Option<u32>,
    /// White, red, green and blue, x and y of each, times 100 000.
    pub(crate) chromaticities: Option<[u32; 8]>,
    /// Frames of an animation.
    pub(crate) frames: u32,
}

/// Reads the chunks up to the first one with pixels.
pub(crate) fn chunks(bytes: &[u8]) -> Chunks {
    let mut found = Chunks::default();
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = word(&head[..4]) as usize;
        let Some(body) = bytes.get(at + 8..).and_then(|rest| rest.get(..length)) else {
            break;
        };
        match &head[4..] {
            b"cICP" => found.cicp = body.try_into().ok(),
            b"iCCP" => found.profile = true,
            b"sRGB" => found.srgb = true,
            b"gAMA" if length == 4 => found.gamma = Some(word(body)).filter(|gamma| *gamma > 0),
            b"cHRM" if length == 32 => {
                let mut values = [0; 8];
                for (value, bytes) in values.iter_mut().zip(body.chunks_exact(4)) {
                    *value = word(bytes);
                }
                found.chromaticities = Some(values);
            }
            b"acTL" if length == 8 => found.frames = word(&body[..4]),
            b"IDAT" | b"IEND" => break,
            _ => {}
        }
        at += 12 + length;
    }
    found
}

/// Whether the chunks with pixels are all there and have the checksums that they say. The first chunk after them
/// must have begun: else more of them may be missing.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Flaw> {
    let mut begun = false;
    let mut at = 8;
    loop {
        let head = bytes.get(at..at + 8).ok_or(Flaw::CutShort)?;
        let is_pixels = &head[4..] == b"IDAT";
        if begun && !is_pixels {
            return Ok(());
        }
        let length = word(&head[..4]) as usize;
        let rest = &bytes[at + 4..];
        let named = rest.get(..4 + length).ok_or(Flaw::CutShort)?;
        let sum = rest.get(4 + length..8 + length).ok_or(Flaw::CutShort)?;
        if is_pixels && crc32fast::hash(named) != word(sum) {
            return Err(Flaw::Contradiction("a chunk with another checksum than it says"));
        }
        begun = is_pixels;
        at += 12 + length;
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}
