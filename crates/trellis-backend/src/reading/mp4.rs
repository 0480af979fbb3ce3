//! An MP4: boxes one after another to the end of the file, `ftyp` first, with `moov` and `mdat` among them.
//!
//! Source: ISO/IEC 14496-12, chapter 4.2. Not here: whether the pictures in it decode.

use std::io::{Read, Seek, SeekFrom};

use super::{Unfit, fill, implausible, unreadable};

/// More boxes at the top than any writer makes; one for each second of a stream at most.
const MOST_BOXES: u32 = 10_000;

pub(super) fn look(source: &mut (impl Read + Seek), size: u64) -> Result<(), Unfit> {
    let (mut at, mut has_index, mut frames_bytes) = (0, false, 0);
    for number in 0..MOST_BOXES {
        if at == size {
            break;
        }
        let mut head = [0; 16];
        source.seek(SeekFrom::Start(at))?;
        fill(source, &mut head[..8])?;
        let kind = [head[4], head[5], head[6], head[7]];
        if number == 0 && kind != *b"ftyp" {
            return Err(unreadable("it is not an MP4"));
        }
        let (bytes, head_bytes) = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            // To the end of the file.
            0 => (size - at, 8),
            1 => {
                fill(source, &mut head[8..])?;
                let [_, _, _, _, _, _, _, _, long @ ..] = head;
                (u64::from_be_bytes(long), 16)
            }
            bytes => (bytes.into(), 8),
        };
        let end = at
            .checked_add(bytes)
            .filter(|end| bytes >= head_bytes && *end <= size);
        at = end.ok_or_else(|| unreadable("it is cut short"))?;
        has_index |= kind == *b"moov";
        if kind == *b"mdat" {
            frames_bytes += bytes - head_bytes;
        }
    }
    if at != size || !has_index {
        return Err(unreadable("it has no index of its pictures"));
    }
    if frames_bytes == 0 {
        return Err(implausible("it has no pictures"));
    }
    Ok(())
}
