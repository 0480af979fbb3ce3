//! What the chunks of a WebP say: frames, a colour profile, and whether the picture's own chunks are whole.
//!
//! Format: RFC 9649 (container, section 2.7), RFC 6386 (the size in a frame of VP8, section 9.1). Files that are
//! cut short count as far as they go.

use crate::flaw::Flaw;

/// A chunk: its name, the bytes that are there of its content, and whether these are all.
struct Chunk<'a> {
    name: [u8; 4],
    body: &'a [u8],
    whole: bool,
}

/// Frames of an animation; 0 for a picture that is not one.
pub(crate) fn frames(bytes: &[u8]) -> u32 {
    let frames = file(bytes).filter(|chunk| &chunk.name == b"ANMF").count();
    u32::try_from(frames).unwrap_or(u32::MAX)
}

/// Whether there is a colour profile.
pub(crate) fn has_profile(bytes: &[u8]) -> bool {
    file(bytes).any(|chunk| &chunk.name == b"ICCP")
}

/// Whether all that is decoded is there, and no frame is larger than the `width × height` pixels that the header
/// says: the decoder sets memory aside by the frame's own size.
pub(crate) fn check(bytes: &[u8], width: u32, height: u32) -> Result<(), Flaw> {
    let mut first_frame = true;
    for chunk in file(bytes) {
        match &chunk.name {
            // Only the first frame is decoded.
            b"ANMF" if !first_frame => {}
            b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP" | b"EXIF" | b"ANMF" if !chunk.whole => {
                return Err(Flaw::CutShort);
            }
            b"VP8 " => same_size(chunk.body, (width, height))?,
            b"ANMF" => {
                first_frame = false;
                frame(chunk.body)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A frame of an animation: its place, its size less 1, three bytes each, four more bytes, then chunks.
fn frame(body: &[u8]) -> Result<(), Flaw> {
    let (Some(size), Some(rest)) = (body.get(6..12), body.get(16..)) else {
        return Err(Flaw::CutShort);
    };
    let less_one = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    let size = (less_one(&size[..3]) + 1, less_one(&size[3..]) + 1);
    for chunk in chunks(rest) {
        match &chunk.name {
            b"VP8 " | b"VP8L" | b"ALPH" if !chunk.whole => return Err(Flaw::CutShort),
            b"VP8 " => same_size(chunk.body, size)?,
            _ => {}
        }
    }
    Ok(())
}

/// A key frame of VP8: three bytes, three of a signature, then the sides in 14 bits each.
fn same_size(body: &[u8], (width, height): (u32, u32)) -> Result<(), Flaw> {
    let Some(&[w0, w1, h0, h1]) = body.get(6..10) else {
        return Err(Flaw::CutShort);
    };
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
    if (side([w0, w1]), side([h0, h1])) == (width, height) {
        Ok(())
    } else {
        Err(Flaw::Contradiction(
            "a frame of another size than the header says",
        ))
    }
}

fn file(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    chunks(bytes.get(12..).unwrap_or_default())
}

fn chunks(mut rest: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let [n0, n1, n2, n3, a, b, c, d] = *rest.first_chunk()?;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let content = &rest[8..];
        let body = &content[..length.min(content.len())];
        // Chunks lie at even offsets.
        let next = length.checked_next_multiple_of(2);
        rest = next.and_then(|next| content.get(next..)).unwrap_or_default();
        Some(Chunk {
            name: [n0, n1, n2, n3],
            body,
            whole: body.len() == length,
        })
    })
}
