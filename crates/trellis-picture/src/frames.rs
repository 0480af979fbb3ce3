//! How many frames an animation has, without decoding one.
//!
//! Formats: GIF89a, appendix A; WebP container, "Animation". Files that are cut short count as far as they go.

/// Frames of a GIF.
pub(crate) fn of_gif(bytes: &[u8]) -> u32 {
    count_gif(bytes).1
}

/// `None` where the file ends within a block; the count either way.
fn count_gif(bytes: &[u8]) -> (Option<()>, u32) {
    let mut frames = 0;
    let mut walk = || {
        let mut at = 13 + colour_table(*bytes.get(10)?);
        loop {
            match bytes.get(at)? {
                // An extension: its label, then blocks.
                0x21 => at = after_blocks(bytes, at + 2)?,
                // A frame: its place, its colours, the size of its codes, then blocks.
                0x2C => {
                    at = after_blocks(bytes, at + 11 + colour_table(*bytes.get(at + 9)?))?;
                    frames += 1;
                }
                _ => return Some(()),
            }
        }
    };
    (walk(), frames)
}

fn colour_table(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    }
}

/// Frames of a WebP; 0 for one that is no animation.
pub(crate) fn of_webp(bytes: &[u8]) -> u32 {
    let frames = riff_chunks(bytes).filter(|name| name == b"ANMF").count();
    u32::try_from(frames).unwrap_or(u32::MAX)
}

/// Whether a WebP has a colour profile.
pub(crate) fn webp_has_profile(bytes: &[u8]) -> bool {
    riff_chunks(bytes).any(|name| &name == b"ICCP")
}

fn riff_chunks(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    let mut at = 12_usize;
    std::iter::from_fn(move || {
        let head: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        let [name @ .., a, b, c, d] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        // Chunks lie at even offsets.
        at = at
            .checked_add(8)?
            .checked_add(length)?
            .checked_next_multiple_of(2)?;
        Some(name)
    })
}
