//! The colours of what the picture does not show: the back, the soles, and the sides.
//!
//! The colours along the outline, evened out and diffused inwards, over a front so blurred that no face is left in
//! it. The sides are seen at a grazing angle in the picture, so a texel of it is drawn out to a streak there: the
//! steeper the surface, the more they take the same evened colours, and front and back meet in one colour.

use crate::bleed::{Weighted, bleed};
use crate::grid::Grid;
use crate::inflate::Inflated;
use crate::resample::resample;
use crate::window::Window;

/// Cells along the longer side of the window.
const LONGEST: usize = 256;
/// Cells to each side that are taken together along the outline, and how often.
const RADIUS: usize = 5;
const PASSES: usize = 2;
/// How much of what is taken together must lie at the outline for its colour to be known.
const KNOWN: f32 = 0.1;
/// How much a texel of the front knows of its blurred colour: the mean is taken over so many that this adds up to 1.
const FRONT: f32 = 1.0 / 4000.0;
/// The share of the blurred front in the middle of the back.
const SHOWN: f32 = 0.35;
/// How much the surface faces the onlooker: below the first only evened colours, from the second on the picture.
const GRAZING: (f32, f32) = (0.25, 0.5);
/// How far from the outline its colours are taken, in cells of the working grid: all, and none.
const NEAR: (f32, f32) = (3.0, 7.0);

/// The colours, each over the whole window; the fourth channel has no meaning.
pub(crate) struct Unseen {
    /// Along the outline, diffused inwards.
    pub(crate) sides: Grid<[f32; 4]>,
    /// Of the back.
    pub(crate) back: Grid<[f32; 4]>,
    /// How much of the sides' colours the front takes, 0 to 1, on the working grid.
    pub(crate) share: Grid<f32>,
}

/// Finds them from the front's, over the whole window.
pub(crate) fn unseen(front: &Grid<Weighted>, inflated: &Inflated) -> Unseen {
    let facing = facing(inflated);
    let share = facing.map(|facing| 1.0 - smooth(GRAZING, facing));
    let (columns, rows) = (share.width, share.height);
    let step = (columns.max(rows) as f32 / LONGEST as f32).max(1.0);
    let size = [columns, rows].map(|cells| ((cells as f32 / step).ceil() as usize).max(1));
    let whole = Window {
        left: 0.0,
        top: 0.0,
        width: front.width as f64,
        height: front.height as f64,
    };
    let read = |x: usize, y: usize| front.at(x, y);
    let colours = resample((front.width, front.height), read, whole, (size[0], size[1]));
    let place = |index: usize| {
        let along =
            |at: usize, size: usize, cells: usize| (at as f32 + 0.5) * cells as f32 / size as f32 - 0.5;
        let (x, y) = (index % size[0], index / size[0]);
        (along(x, size[0], columns), along(y, size[1], rows))
    };
    let near = near_outline(inflated);
    let outline = weighted(&colours, |index| {
        let (x, y) = place(index);
        near.linear(x, y).max(share.linear(x, y))
    });
    let mut outline = blurred(outline);
    for colour in &mut outline.values {
        let weight = colour[3].max(KNOWN);
        *colour = colour.map(|value| value / weight);
    }
    let sides = bleed(outline);
    let mut back = bleed(weighted(&colours, |_| FRONT));
    for (index, (back, side)) in back.values.iter_mut().zip(&sides.values).enumerate() {
        let (x, y) = place(index);
        let shown = SHOWN * smooth((0.4, 1.0), facing.linear(x, y));
        for channel in 0..3 {
            back[channel] = side[channel] + shown * (back[channel] - side[channel]);
        }
    }
    Unseen { sides, back, share }
}

/// Means over squares of cells, repeated.
fn blurred(mut grid: Grid<Weighted>) -> Grid<Weighted> {
    let (width, height) = (grid.width, grid.height);
    for _ in 0..PASSES {
        for y in 0..height {
            mean_along(&mut grid.values[y * width..], 1, width);
        }
        for x in 0..width {
            mean_along(&mut grid.values[x..], width, height);
        }
    }
    grid
}

/// Replaces each of `count` cells, `step` apart, by the mean of those up to [`RADIUS`] away; beyond the ends all is 0.
fn mean_along(cells: &mut [Weighted], step: usize, count: usize) {
    let line: Vec<Weighted> = cells.iter().step_by(step).take(count).copied().collect();
    let mut sum = [0.0; 4];
    for at in 0..count + RADIUS {
        for channel in 0..4 {
            sum[channel] += line.get(at).map_or(0.0, |cell| cell[channel]);
            if at > 2 * RADIUS {
                sum[channel] -= line[at - 2 * RADIUS - 1][channel];
            }
        }
        if at >= RADIUS {
            cells[(at - RADIUS) * step] = sum.map(|sum| sum / (2 * RADIUS + 1) as f32);
        }
    }
}

fn weighted(colours: &Grid<Weighted>, factor: impl Fn(usize) -> f32) -> Grid<Weighted> {
    let mut out = colours.clone();
    for (index, colour) in out.values.iter_mut().enumerate() {
        let factor = factor(index);
        *colour = colour.map(|value| value * factor);
    }
    out
}

/// How much the surface faces the onlooker, 0 to 1; 0 outside.
fn facing(inflated: &Inflated) -> Grid<f32> {
    cell_by_cell(inflated, |height, slope| {
        height / (height * height + slope * slope / 4.0).sqrt().max(1e-6)
    })
}

/// 1 near the outline, 0 away from it. The squared height over its slope is the distance, near the outline.
fn near_outline(inflated: &Inflated) -> Grid<f32> {
    cell_by_cell(inflated, |height, slope| {
        1.0 - smooth(NEAR, height * height / slope.max(1e-6))
    })
}

fn cell_by_cell(inflated: &Inflated, make: impl Fn(f32, f32) -> f32) -> Grid<f32> {
    let values = inflated.height.values.iter().zip(&inflated.gradient.values);
    Grid {
        width: inflated.height.width,
        height: inflated.height.height,
        values: values
            .map(|(height, [across, down])| make(*height, (across * across + down * down).sqrt()))
            .collect(),
    }
}

/// From 0 at the first to 1 at the second.
fn smooth((low, high): (f32, f32), value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
