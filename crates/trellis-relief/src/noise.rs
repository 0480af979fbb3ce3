//! How even a background is: its noise from cell to cell, and its level over larger places.

use crate::colour::Colour;
use crate::edge::eroded;
use crate::grid::Grid;
use crate::scene::Scene;

/// Cells along each side of a block whose mean is a level.
const BLOCK: usize = 8;
/// A block counts when this share of it is clear background.
const CLEAR: f32 = 0.5;
/// A level is the background's within so many deviations of its levels, and always within [`LEAST`]:
/// two of 255 in brightness, three in colour, which JPEG keeps less of.
const DEVIATIONS: f32 = 3.0;
const LEAST: Colour = [0.009, 0.012, 0.012];
/// One in so many cells is looked at for the grain.
const SAMPLED: usize = 7;
/// The share of the cells beside the object that ring less than what counts as the background's grain.
const RINGS: f32 = 0.8;
/// A median distance is so many times smaller than the deviation of a normal distribution.
const MEDIAN: f32 = 1.48;

/// The evenness of the background of a scene.
pub(crate) struct Noise {
    /// The median step in brightness from one cell to the next, over all of it or near the object, where JPEG
    /// rings: the larger.
    pub(crate) grain: f32,
    /// How far a level may be from the background's.
    pub(crate) level: Colour,
    blocks: Grid<Option<Colour>>,
}

impl Noise {
    /// Measures the background away from its edges.
    pub(crate) fn of(scene: &Scene, background: &Grid<bool>) -> Self {
        let mut clear = eroded(&eroded(background));
        for (index, clear) in clear.values.iter_mut().enumerate() {
            *clear &= scene.is_near(index);
        }
        let blocks = blocks(scene, &clear);
        let known: Vec<Colour> = blocks.values.iter().flatten().copied().collect();
        let level = [0, 1, 2].map(|channel| {
            let middle = median(known.iter().map(|level| level[channel].abs()).collect());
            (DEVIATIONS * MEDIAN * middle).max(LEAST[channel])
        });
        let at_edge = edge_blocks(background, &blocks);
        let near_object = |index: usize| {
            let (x, y) = (index % clear.width, index / clear.width);
            at_edge.at(x / BLOCK, y / BLOCK)
        };
        let cells = (0..clear.values.len()).filter(|index| clear.values[*index]);
        let edge_cells = cells.clone().filter(|index| near_object(*index));
        let grain = Self::grain_of(scene, &clear, cells.clone().step_by(SAMPLED));
        let rings = quantile(Self::bends(scene, &clear, edge_cells), RINGS);
        let grain = grain.max(rings);
        Self { grain, level, blocks }
    }

    /// How much these cells differ from the mean of those beside them in the same mask, in brightness: the median,
    /// as a step from one cell to the next. A gradient has no grain.
    pub(crate) fn grain_of(scene: &Scene, mask: &Grid<bool>, cells: impl Iterator<Item = usize>) -> f32 {
        median(Self::bends(scene, mask, cells))
    }

    fn bends(scene: &Scene, mask: &Grid<bool>, cells: impl Iterator<Item = usize>) -> Vec<f32> {
        let beside = |cell: usize, steps: isize| {
            let next = mask
                .along(cell, (1, 0), steps)
                .filter(|next| mask.values[*next])?;
            Some(scene.residual(next)[0])
        };
        let step = |cell: usize| {
            let bend = beside(cell, -1)? + beside(cell, 1)? - 2.0 * scene.residual(cell)[0];
            // Chance bends by √3 times as much as it steps.
            Some(bend.abs() / 3.0_f32.sqrt())
        };
        cells.filter_map(step).collect()
    }

    /// The background's level around a place, the nearer blocks counting more; nothing known is 0.
    pub(crate) fn around(&self, x: usize, y: usize) -> Colour {
        let (mut sum, mut weights) = ([0.0; 3], 0.0);
        for (index, level) in self.blocks.values.iter().enumerate() {
            let Some(level) = level else { continue };
            let across = (index % self.blocks.width) as f32 - x as f32 / BLOCK as f32;
            let down = (index / self.blocks.width) as f32 - y as f32 / BLOCK as f32;
            let weight = (1.0 + across * across + down * down).powi(-2);
            (0..3).for_each(|channel| sum[channel] += weight * level[channel]);
            weights += weight;
        }
        if weights == 0.0 {
            return sum;
        }
        sum.map(|sum| sum / weights)
    }

    /// How far an offset from the background is, in units of what its levels may be.
    pub(crate) fn levels(&self, offset: Colour) -> f32 {
        (0..3)
            .map(|channel| (offset[channel] / self.level[channel]).powi(2))
            .sum::<f32>()
            .sqrt()
    }
}

/// The blocks that the object reaches into: a JPEG rings where it packs an edge into one block.
fn edge_blocks(background: &Grid<bool>, blocks: &Grid<Option<Colour>>) -> Grid<bool> {
    let mut apart = blocks.map(|_| true);
    for (index, empty) in background.values.iter().enumerate() {
        if !empty {
            let (x, y) = (index % background.width, index / background.width);
            apart.set(x / BLOCK, y / BLOCK, false);
        }
    }
    apart.map(|apart| !apart)
}

fn blocks(scene: &Scene, clear: &Grid<bool>) -> Grid<Option<Colour>> {
    let size = (clear.width.div_ceil(BLOCK), clear.height.div_ceil(BLOCK));
    let mut sums = Grid::filled(size.0, size.1, [0.0_f32; 4]);
    for (index, clear_here) in clear.values.iter().enumerate() {
        if !clear_here {
            continue;
        }
        let (x, y) = (index % clear.width, index / clear.width);
        let sum = &mut sums.values[y / BLOCK * size.0 + x / BLOCK];
        let residual = scene.residual(index);
        (0..3).for_each(|channel| sum[channel] += residual[channel]);
        sum[3] += 1.0;
    }
    sums.map(|sum| {
        let enough = sum[3] >= CLEAR * (BLOCK * BLOCK) as f32;
        enough.then(|| [0, 1, 2].map(|channel| sum[channel] / sum[3]))
    })
}

/// The middle value, 0 of none.
pub(crate) fn median(values: Vec<f32>) -> f32 {
    quantile(values, 0.5)
}

/// The value below which that share of them lies, 0 of none.
fn quantile(mut values: Vec<f32>, share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() as f32 * share) as usize).min(values.len() - 1);
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}
