//! Soft shadows on the background: they belong to it, a pale object does not.
//!
//! Both are a little darker than the background and have no colour of their own. They differ at their edge
//! towards it: a shadow fades, an object ends.

use crate::backdrop::{Backdrop, Colour, NEAR};
use crate::grid::Grid;
use crate::parts;

/// A soft shadow: how much darker than the background, how much colour it may have, and how much it may
/// change from one cell to the next (all in 0 to 1).
const DEPTH: f32 = 0.35;
const TINT: f32 = 0.035;
const STEP: f32 = 0.012;
/// Cells to both sides of an edge between which a sharp one has most of its step, and that share of it.
const REACH: isize = 2;
const MOST: f32 = 0.6;

/// Whether a cell is darker than the background by a shadow that grows gradually from its neighbour.
pub(crate) fn goes_on(colour: Colour, behind: Colour, neighbour: Colour) -> bool {
    let darker = behind[0] - colour[0];
    let tint = (colour[1] - behind[1]).hypot(colour[2] - behind[2]);
    let step = (0..3)
        .map(|channel| (colour[channel] - neighbour[channel]).abs())
        .fold(0.0, f32::max);
    (0.0..DEPTH).contains(&darker) && tint < TINT && step < STEP
}

/// What was taken for a shadow and has a sharp edge around most of it is no background: one soft place in
/// the edge of a pale object is enough to let the search in.
pub(crate) fn take_back_objects(background: &mut Grid<bool>, colours: &Grid<Colour>, backdrop: &Backdrop) {
    let mut dark = background.clone();
    for (dark, (_, distance)) in dark.values.iter_mut().zip(&backdrop.values) {
        *dark &= *distance > NEAR;
    }
    let found = parts::parts(&dark, false);
    let cells: Vec<(usize, usize)> = (0..dark.values.len())
        .filter_map(|index| Some((index, found.labels.values[index].checked_sub(1)? as usize)))
        .collect();
    let depth_of = |index: usize| backdrop.values[index].0[0] - colours.values[index][0];
    let mut depths = vec![0.0; found.sizes.len()];
    for (index, part) in &cells {
        depths[*part] += depth_of(*index) / found.sizes[*part] as f32;
    }
    // How many edges of its cells towards the plain background are sharp, less those that are not.
    let mut sharper = vec![0_i64; found.sizes.len()];
    for (index, part) in &cells {
        for towards in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
            let seen = |steps: isize| along(&dark, *index, towards, steps);
            let (Some(next), Some(outside), Some(inside)) = (seen(1), seen(REACH), seen(-REACH)) else {
                continue;
            };
            if background.values[next] && !dark.values[next] {
                let sharp = depth_of(inside) - depth_of(outside) > MOST * depths[*part];
                sharper[*part] += if sharp { 1 } else { -1 };
            }
        }
    }
    for (index, part) in cells {
        background.values[index] &= sharper[part] <= 0;
    }
}

/// The cell so many steps away, if it lies in the grid.
fn along(grid: &Grid<bool>, index: usize, (across, down): (isize, isize), steps: isize) -> Option<usize> {
    let x = (index % grid.width).checked_add_signed(across * steps)?;
    let y = (index / grid.width).checked_add_signed(down * steps)?;
    (x < grid.width && y < grid.height).then(|| y * grid.width + x)
}
