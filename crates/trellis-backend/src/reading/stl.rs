//! A binary STL: 80 bytes of anything, the number of triangles, 50 bytes for each.
//!
//! Source: the description of the format at the Library of Congress (fdd000505).

use std::io::Read;

use super::extent::Extent;
use super::{Unfit, fill, implausible, point, rows, unreadable};

pub(super) fn look(source: &mut impl Read, size: u64) -> Result<(), Unfit> {
    let mut head = [0; 84];
    fill(source, &mut head)?;
    let triangles = u64::from(u32::from_le_bytes([head[80], head[81], head[82], head[83]]));
    let expected = 84 + 50 * triangles;
    if size != expected {
        return Err(unreadable(format!(
            "{triangles} triangles take {expected} bytes, and it has {size}"
        )));
    }
    if triangles == 0 {
        return Err(implausible("it has no triangles"));
    }
    let mut extent = Extent::new();
    // The normal comes first, and readers compute their own.
    rows(source, triangles, 50, |row| {
        [12, 24, 36]
            .into_iter()
            .try_for_each(|at| extent.add(point(&row[at..])))
    })?;
    extent.finish()
}
