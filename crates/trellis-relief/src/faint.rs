//! Pale objects: areas that pass for background cell by cell, but are all a little off, and end sharply.
//!
//! A white egg on white paper, a label that reaches the outline. What ends gradually is the background's
//! own light; what lies along the picture's border is a floor.

use crate::colour::{Colour, length};
use crate::edge::eroded;
use crate::grid::{Grid, SIDES};
use crate::noise::Noise;
use crate::parts::{self, Parts};
use crate::scene::Scene;

/// Cells to each side over which a residual is averaged.
const REACH: usize = 2;
/// Cells that an area is narrowed by and must survive: JPEG rings and halos along an edge do not.
const NARROWED: usize = 3;
/// Share of the picture from which an area is believed.
const LEAST_SHARE: f64 = 0.0015;
/// Cells to both sides of an area's edge between which it must have this share of its offset.
const ACROSS: isize = 3;
const SHARP: f32 = 0.6;
/// A shadow beside an area becomes so many times as dark as it within so many cells.
const DARKER: f32 = 2.0;
const WITHIN: isize = 8;
/// Share of the picture's border from which an area is a floor or a wall.
const FLOOR: f64 = 0.1;

/// Takes pale objects out of the background, and says which cells they are.
pub(crate) fn take_back(background: &mut Grid<bool>, scene: &Scene, noise: &Noise) -> Grid<bool> {
    let mut near = background.clone();
    for (index, near) in near.values.iter_mut().enumerate() {
        *near &= scene.is_near(index);
    }
    let levels = smoothed(scene, &near);
    let mut off = near.clone();
    for (off, level) in off.values.iter_mut().zip(&levels.values) {
        *off &= noise.levels(*level) > 1.0;
    }
    let mut core = off.clone();
    for _ in 0..NARROWED {
        core = eroded(&core);
    }
    let found = parts::parts(&off, false);
    let least = (off.values.len() as f64 * LEAST_SHARE) as usize;
    let border = 2 * (off.width + off.height);
    let mut areas = vec![Area::default(); found.sizes.len()];
    for (index, part) in found.cells() {
        let area = &mut areas[part];
        area.core += usize::from(core.values[index]);
        area.on_border += usize::from(core.on_border(index));
        (0..3).for_each(|channel| area.offset[channel] += levels.values[index][channel]);
    }
    for (area, size) in areas.iter_mut().zip(&found.sizes) {
        area.offset = area.offset.map(|sum| sum / *size as f32);
        area.believed =
            *size >= least && area.core * 4 >= *size && (area.on_border as f64) < FLOOR * border as f64;
    }
    measure_edges(&mut areas, &found, &near, background, scene);
    let mut taken = off.map(|_| false);
    for (cell, _) in found.cells().filter(|(_, part)| areas[*part].ends_sharply()) {
        taken.values[cell] = true;
        background.values[cell] = false;
    }
    taken
}

#[derive(Debug, Clone, Default)]
struct Area {
    core: usize,
    on_border: usize,
    offset: Colour,
    believed: bool,
    /// The sum of the steps across its edge along its offset, and how many there were.
    steps: f32,
    edges: usize,
    /// Its edges towards shadows.
    shaded: usize,
}

impl Area {
    fn ends_sharply(&self) -> bool {
        self.believed
            && 4 * self.shaded < self.edges
            && self.steps > SHARP * length(self.offset) * self.edges as f32
    }
}

fn measure_edges(
    areas: &mut [Area],
    found: &Parts,
    near: &Grid<bool>,
    background: &Grid<bool>,
    scene: &Scene,
) {
    let labels = &found.labels;
    for (index, part) in found.cells() {
        let area = &mut areas[part];
        if !area.believed {
            continue;
        }
        for towards in SIDES {
            let seen = |steps| labels.along(index, towards, steps);
            let (Some(next), Some(outside), Some(inside)) = (seen(1), seen(ACROSS), seen(-ACROSS)) else {
                continue;
            };
            // A lighter edge of a shadow that goes on darker.
            let shadow = |cell: &usize| !near.values[*cell] && background.values[*cell];
            let darker = |cell| scene.contrast(cell) > DARKER * length(area.offset);
            let beside = (1..=WITHIN)
                .map_while(|steps| seen(steps).filter(shadow))
                .any(darker);
            area.shaded += usize::from(beside);
            let plain = |index: usize| near.values[index] && labels.values[index] == 0;
            if !plain(next) || !plain(outside) || labels.values[inside] != labels.values[index] {
                continue;
            }
            let (outside, inside) = (scene.residual(outside), scene.residual(inside));
            let size = length(area.offset).max(1e-6);
            area.steps += (0..3)
                .map(|channel| (inside[channel] - outside[channel]) * area.offset[channel] / size)
                .sum::<f32>();
            area.edges += 1;
        }
    }
}

/// The mean residual of the `near` cells around each, by running sums along rows and then columns.
fn smoothed(scene: &Scene, near: &Grid<bool>) -> Grid<Colour> {
    let (width, height) = (near.width, near.height);
    let mut cells = Grid::filled(width, height, [0.0_f32; 4]);
    for (index, cell) in cells.values.iter_mut().enumerate() {
        if near.values[index] {
            let residual = scene.residual(index);
            *cell = [residual[0], residual[1], residual[2], 1.0];
        }
    }
    let add = |sum: &mut [f32; 4], cell: [f32; 4]| (0..4).for_each(|channel| sum[channel] += cell[channel]);
    let mut across = Grid::filled(width, height, [0.0_f32; 4]);
    for (out, row) in across
        .values
        .chunks_exact_mut(width)
        .zip(cells.values.chunks_exact(width))
    {
        for (x, out) in out.iter_mut().enumerate() {
            for cell in &row[x.saturating_sub(REACH)..(x + REACH + 1).min(width)] {
                add(out, *cell);
            }
        }
    }
    let mut out = Grid::filled(width, height, [0.0; 3]);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0; 4];
            for row in y.saturating_sub(REACH)..(y + REACH + 1).min(height) {
                add(&mut sum, across.at(x, row));
            }
            out.set(x, y, [0, 1, 2].map(|channel| sum[channel] / sum[3].max(1.0)));
        }
    }
    out
}
