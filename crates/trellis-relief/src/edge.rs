//! The edge of the object: which share of each cell there is object, by the mixture of the colours.
//!
//! Not here: which cells are object (`backdrop.rs`).

use crate::colour::Colour;
use crate::grid::Grid;
use crate::scene::Scene;

/// The share of object in each cell: 0 and 1 away from the edge, at it by the mixture of the colours.
pub(crate) fn mixture(scene: &Scene, object: &Grid<bool>) -> Grid<f32> {
    let solid = eroded(&eroded(object));
    let empty = eroded(&object.map(|inside| !inside));
    let mut out = object.map(|inside| f32::from(u8::from(inside)));
    for y in 0..object.height {
        for x in 0..object.width {
            if solid.at(x, y) || empty.at(x, y) {
                continue;
            }
            let Some(full) = mean_around(scene.colours, &solid, x, y) else {
                continue;
            };
            let (none, colour) = (scene.backdrop.at(x, y).0, scene.colours.at(x, y));
            let (mut along, mut length) = (0.0, 0.0);
            for channel in 0..3 {
                along += (colour[channel] - none[channel]) * (full[channel] - none[channel]);
                length += (full[channel] - none[channel]).powi(2);
            }
            if length > 0.0025 {
                out.set(x, y, (along / length).clamp(0.0, 1.0));
            }
        }
    }
    out
}

/// The cells whose eight neighbours are all in the mask; beyond the picture counts as in.
pub(crate) fn eroded(mask: &Grid<bool>) -> Grid<bool> {
    let (width, height) = (mask.width, mask.height);
    let mut across = mask.clone();
    for (out, row) in across
        .values
        .chunks_exact_mut(width)
        .zip(mask.values.chunks_exact(width))
    {
        for x in 1..width {
            out[x] &= row[x - 1];
            out[x - 1] &= row[x];
        }
    }
    let mut out = across.clone();
    for y in 1..height {
        for x in 0..width {
            out.values[y * width + x] &= across.values[(y - 1) * width + x];
            out.values[(y - 1) * width + x] &= across.values[y * width + x];
        }
    }
    out
}

fn mean_around(colours: &Grid<Colour>, solid: &Grid<bool>, x: usize, y: usize) -> Option<Colour> {
    const REACH: usize = 4;
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for row in y.saturating_sub(REACH)..(y + REACH + 1).min(colours.height) {
        for column in x.saturating_sub(REACH)..(x + REACH + 1).min(colours.width) {
            if solid.at(column, row) {
                let colour = colours.at(column, row);
                (0..3).for_each(|channel| sum[channel] += colour[channel]);
                count += 1.0;
            }
        }
    }
    (count > 0.0).then(|| sum.map(|channel| channel / count))
}
