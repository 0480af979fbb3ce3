//! The zip of an OBJ: made by this program from a GLB, so what is looked at is that the zip is whole and what the GLB
//! gave: vertices and faces.

use std::io::Read;

use trellis_convert::{Bundle, STEM};

use super::extent::Extent;
use super::{Unfit, implausible, unreadable};

pub(super) fn look(source: &mut impl Read) -> Result<(), Unfit> {
    let mut zip = Vec::new();
    source.read_to_end(&mut zip)?;
    let bundle = Bundle::from_zip(&zip).map_err(|error| unreadable(error.to_string()))?;
    let obj = bundle
        .files
        .first()
        .filter(|file| file.name.strip_prefix(STEM) == Some(".obj"));
    let obj = obj.ok_or_else(|| unreadable("its zip does not begin with an OBJ"))?;
    let (mut extent, mut faces) = (Extent::new(), 0_u64);
    for line in obj.bytes.split(|byte| *byte == b'\n') {
        if line.starts_with(b"f ") {
            faces += 1;
        } else if let Some(numbers) = line.strip_prefix(b"v ") {
            extent.add(position(numbers).ok_or_else(|| unreadable("a vertex has no position"))?)?;
        }
    }
    if faces == 0 {
        return Err(implausible("it has no faces"));
    }
    extent.finish()
}

fn position(numbers: &[u8]) -> Option<[f64; 3]> {
    let mut numbers = std::str::from_utf8(numbers).ok()?.split_ascii_whitespace();
    let mut next = || numbers.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}
