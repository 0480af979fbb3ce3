//! Fewer triangles for the sheet, without opening or folding it.
//!
//! Edges are collapsed in the plane of the picture, with height and slope as attributes: nothing can fold
//! over as seen from the front, and the outline is kept like any border. Every result is checked; if one
//! is not a sheet with the same outline loops any more, the next gentler way is taken.

use meshopt::{SimplifyOptions, VertexDataAdapter};

use crate::sheet::Sheet;
use crate::topology::{direction, edges, outer_edges};

/// How far the outline and the surface may move, relative to the sheet's longer side.
const LARGEST_ERROR: f32 = 0.004;
/// How much height counts against outline, and the direction of the surface against both.
const WEIGHTS: [f32; 3] = [0.5, 0.01, 0.01];

/// Twice the area, in cells, up to which a triangle that is turned over counts as upright.
const UPRIGHT: f64 = 1e-3;

/// Collapses edges until about `target` triangles are left, fewer only where nothing is lost, more where the
/// outline alone takes half of them.
pub(crate) fn simplify(sheet: &mut Sheet, target: usize) {
    if sheet.triangles.len() <= target {
        return;
    }
    let before = Loops::of(sheet, &sheet.triangles);
    for options in [SimplifyOptions::None, SimplifyOptions::LockBorder] {
        let mut triangles = collapsed(sheet, target, options);
        let outline = outer_edges(&triangles).len();
        if 2 * outline > target {
            // The outline takes a triangle for each of its edges. Where it is long, as that of a plant, hardly
            // any would be left for the surface: then they are not counted.
            triangles = collapsed(sheet, target + outline, options);
        }
        let after = Loops::of(sheet, &triangles);
        if after.is_some() && after == before {
            sheet.triangles = triangles;
            drop_unused(sheet);
            return;
        }
    }
}

fn collapsed(sheet: &Sheet, target: usize, options: SimplifyOptions) -> Vec<[u32; 3]> {
    // meshopt asserts that it is asked for no more than there are.
    if sheet.triangles.len() <= target {
        return sheet.triangles.clone();
    }
    let mut plane = Vec::with_capacity(12 * sheet.positions.len());
    let mut attributes = Vec::with_capacity(3 * sheet.positions.len());
    let extent = extent(sheet);
    for (position, gradient) in sheet.positions.iter().zip(&sheet.gradients) {
        for value in [position[0], position[1], 0.0] {
            plane.extend_from_slice(&value.to_ne_bytes());
        }
        let steepness = gradient[0]
            .hypot(gradient[1])
            .hypot(2.0 * position[2])
            .max(f32::MIN_POSITIVE);
        attributes.extend([
            position[2] / extent,
            gradient[0] / steepness,
            gradient[1] / steepness,
        ]);
    }
    let Ok(vertices) = VertexDataAdapter::new(&plane, 12, 0) else {
        return sheet.triangles.clone();
    };
    let indices: Vec<u32> = sheet.triangles.iter().flatten().copied().collect();
    let unlocked = vec![false; sheet.positions.len()];
    let indices = meshopt::simplify_with_attributes_and_locks(
        &indices,
        &vertices,
        &attributes,
        &WEIGHTS,
        3 * size_of::<f32>(),
        &unlocked,
        3 * target,
        LARGEST_ERROR,
        options,
        None,
    );
    indices
        .chunks_exact(3)
        .map(|corner| [corner[0], corner[1], corner[2]])
        .collect()
}

fn extent(sheet: &Sheet) -> f32 {
    let side = |axis: usize| {
        let values = sheet.positions.iter().map(|position| position[axis]);
        let (low, high) = values.fold((f32::MAX, f32::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        high - low
    };
    side(0).max(side(1))
}

/// The outline of a sheet: how many closed loops, and how many parts by Euler's formula.
#[derive(Debug, PartialEq, Eq)]
struct Loops {
    loops: usize,
    euler: i64,
}

impl Loops {
    /// `None` if it is not a sheet: an edge twice in one direction, an outline that branches, or a
    /// triangle that is turned over. One without area as seen from the front may stand upright.
    fn of(sheet: &Sheet, triangles: &[[u32; 3]]) -> Option<Self> {
        if !triangles.iter().all(|corners| is_facing(sheet, *corners)) {
            return None;
        }
        let edges = edges(triangles);
        let mut next = vec![None; sheet.positions.len()];
        let mut outer = 0;
        for edge in edges.chunk_by(|one, other| one >> 1 == other >> 1) {
            match edge {
                [one, other] if one != other => {}
                [single] => {
                    outer += 1;
                    let [from, to] = direction(*single).map(|end| end as usize);
                    let free = next[from].replace(to as u32).is_none();
                    if !free || !sheet.rim[from] || !sheet.rim[to] {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        let mut used = vec![false; sheet.positions.len()];
        triangles
            .iter()
            .flatten()
            .for_each(|vertex| used[*vertex as usize] = true);
        let vertices = used.iter().filter(|used| **used).count() as i64;
        let rim = used
            .iter()
            .zip(&sheet.rim)
            .filter(|(used, rim)| **used && **rim)
            .count();
        if rim != outer {
            return None;
        }
        Some(Self {
            loops: loops(&mut next),
            euler: vertices - (edges.len() + outer) as i64 / 2 + triangles.len() as i64,
        })
    }
}

/// Counts the closed chains; takes them apart on the way.
fn loops(next: &mut [Option<u32>]) -> usize {
    let mut count = 0;
    for start in 0..next.len() {
        let mut at = start;
        let mut any = false;
        while let Some(to) = next[at].take() {
            at = to as usize;
            any = true;
        }
        count += usize::from(any);
    }
    count
}

fn is_facing(sheet: &Sheet, [a, b, c]: [u32; 3]) -> bool {
    let [a, b, c] = [a, b, c].map(|vertex| sheet.positions[vertex as usize].map(f64::from));
    // Rows run down, so counter-clockwise as seen is negative here.
    (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]) < UPRIGHT
}

/// Renumbers the vertices in the order in which triangles use them; the others go.
fn drop_unused(sheet: &mut Sheet) {
    let mut numbers = vec![u32::MAX; sheet.positions.len()];
    let mut kept = Sheet::default();
    for corners in &sheet.triangles {
        kept.triangles.push(corners.map(|vertex| {
            let old = vertex as usize;
            if numbers[old] == u32::MAX {
                numbers[old] = kept.positions.len() as u32;
                kept.positions.push(sheet.positions[old]);
                kept.gradients.push(sheet.gradients[old]);
                kept.rim.push(sheet.rim[old]);
            }
            numbers[old]
        }));
    }
    *sheet = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_that_is_nearly_all_outline_stays_as_it_is() {
        let mut strip = Sheet::default();
        for column in 0..6_u8 {
            for row in 0..2_u8 {
                strip.positions.push([column.into(), row.into(), 0.0]);
                strip.gradients.push([0.0; 2]);
                strip.rim.push(true);
            }
        }
        for first in (0..10).step_by(2) {
            strip.triangles.push([first, first + 1, first + 3]);
            strip.triangles.push([first, first + 3, first + 2]);
        }
        simplify(&mut strip, 9);
        assert_eq!(strip.triangles.len(), 10);
    }
}
