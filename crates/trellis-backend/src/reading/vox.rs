//! MagicaVoxel `.vox`: the chunk MAIN, and in it chunks of which SIZE and XYZI hold a model.
//!
//! ```text
//! "VOX " version │ "MAIN" 0 length │ name content-length children-length content …
//! SIZE: x y z │ XYZI: count, then x y z colour a byte each
//! ```
//! Source: the format's page in ephtracy/voxel-model. Other chunks are passed over.

use std::io::{self, Read};

use super::{Unfit, fill, implausible, rows, unreadable};

/// As many as the format can name along a side.
const LONGEST_SIDE: u32 = 256;

pub(super) fn look(source: &mut impl Read, size: u64) -> Result<(), Unfit> {
    let mut head = [0; 20];
    fill(source, &mut head)?;
    let children = u64::from(word(&head, 16));
    if &head[..4] != b"VOX " || &head[8..12] != b"MAIN" || word(&head, 12) != 0 {
        return Err(unreadable("it does not begin as a `.vox` file"));
    }
    if size != 20 + children {
        return Err(unreadable(format!(
            "it says that it has {} bytes, and it has {size}",
            20 + children
        )));
    }
    let mut left = children;
    let mut of_model = None;
    let mut voxels = 0;
    while left > 0 {
        let mut chunk = [0; 12];
        fill(source, &mut chunk)?;
        let content = u64::from(word(&chunk, 4));
        left = left
            .checked_sub(12 + content)
            .filter(|_| word(&chunk, 8) == 0)
            .ok_or_else(|| unreadable("a chunk is longer than the file"))?;
        match &chunk[..4] {
            b"SIZE" if content == 12 => {
                let mut sides = [0; 12];
                fill(source, &mut sides)?;
                let sides = [0, 4, 8].map(|at| word(&sides, at));
                if sides.iter().any(|side| !(1..=LONGEST_SIDE).contains(side)) {
                    return Err(unreadable(format!(
                        "a side has {} voxels",
                        sides.iter().max().unwrap_or(&0)
                    )));
                }
                of_model = Some(sides);
            }
            b"XYZI" => {
                let sides = of_model
                    .take()
                    .ok_or_else(|| unreadable("it has voxels without a size"))?;
                voxels += model(source, content, sides)?;
            }
            _ => pass_over(source, content)?,
        }
    }
    if voxels == 0 {
        return Err(implausible("it has no voxels"));
    }
    Ok(())
}

/// How many voxels it has.
fn model(source: &mut impl Read, content: u64, sides: [u32; 3]) -> Result<u64, Unfit> {
    let mut count = [0; 4];
    fill(source, &mut count)?;
    let count = u64::from(u32::from_le_bytes(count));
    if content != 4 + 4 * count {
        return Err(unreadable(format!("{count} voxels do not take {content} bytes")));
    }
    rows(source, count, 4, |voxel| {
        let within = (0..3).all(|axis| u32::from(voxel[axis]) < sides[axis]);
        // Colour 0 is nothing.
        if within && voxel[3] > 0 {
            Ok(())
        } else {
            Err(unreadable("a voxel is outside or has no colour"))
        }
    })?;
    Ok(count)
}

fn pass_over(source: &mut impl Read, bytes: u64) -> Result<(), Unfit> {
    let passed = io::copy(&mut source.take(bytes), &mut io::sink())?;
    if passed == bytes {
        Ok(())
    } else {
        Err(unreadable("it is cut short"))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
