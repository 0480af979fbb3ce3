//! The frames of a GIF, without decoding one.
//!
//! Format: GIF89a, appendix A. Files that are cut short count as far as they go.

/// How many frames there are, as far as they are whole.
pub(crate) fn frames(bytes: &[u8]) -> u32 {
    walk(bytes, u32::MAX).1
}

/// Whether the first frame is whole. What has none is the decoder's to refuse.
pub(crate) fn has_its_first(bytes: &[u8]) -> bool {
    walk(bytes, 1).0.is_some()
}

/// Walks over `most` frames. `None` where the file ends within a block; how many were whole either way.
fn walk(bytes: &[u8], most: u32) -> (Option<()>, u32) {
    let mut frames = 0;
    let mut walk = || {
        let mut at = 13 + colour_table(*bytes.get(10)?);
        while frames < most {
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
        Some(())
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
