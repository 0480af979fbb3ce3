//! Fills texels of little or no weight with the colours around them.
//!
//! Pull and push: ever coarser means of what is known, then from coarse to fine each texel takes what it
//! lacks from the coarser mean, linear between its cells.

use crate::grid::Grid;

/// Red, green and blue times weight, and weight from 0 to 1.
pub(crate) type Weighted = [f32; 4];

/// The filled colours; `known` may be used up. Texels of weight 1 stay exactly as they are.
pub(crate) fn bleed(known: Grid<Weighted>) -> Grid<[f32; 3]> {
    let mut levels = vec![known];
    while levels[levels.len() - 1]
        .width
        .max(levels[levels.len() - 1].height)
        > 1
    {
        let coarser = pull(&levels[levels.len() - 1]);
        levels.push(coarser);
    }
    let mut coarse = levels.pop().map_or_else(
        || Grid::filled(1, 1, [0.0; 3]),
        |top| top.map(|[red, green, blue, weight]| [red, green, blue].map(|sum| sum / weight.max(1e-9))),
    );
    while let Some(level) = levels.pop() {
        coarse = push(&level, &coarse);
    }
    coarse
}

fn pull(fine: &Grid<Weighted>) -> Grid<Weighted> {
    let mut coarse = Grid::filled(fine.width.div_ceil(2), fine.height.div_ceil(2), [0.0; 4]);
    for (y, row) in fine.values.chunks_exact(fine.width).enumerate() {
        let target = &mut coarse.values[(y / 2) * fine.width.div_ceil(2)..];
        for (sum, pair) in target.iter_mut().zip(row.chunks(2)) {
            for texel in pair {
                (0..4).for_each(|channel| sum[channel] += texel[channel]);
            }
        }
    }
    for sum in &mut coarse.values {
        let excess = sum[3].max(1.0);
        (0..4).for_each(|channel| sum[channel] /= excess);
    }
    coarse
}

fn push(fine: &Grid<Weighted>, coarse: &Grid<[f32; 3]>) -> Grid<[f32; 3]> {
    let mut out = Grid::filled(fine.width, fine.height, [0.0; 3]);
    for y in 0..fine.height {
        for x in 0..fine.width {
            let [red, green, blue, weight] = fine.at(x, y);
            let mut colour = [red, green, blue];
            if weight < 1.0 {
                let around = between(coarse, x, y);
                (0..3).for_each(|channel| colour[channel] += (1.0 - weight) * around[channel]);
            }
            out.set(x, y, colour);
        }
    }
    out
}

/// The coarse colour at the middle of a fine texel: three quarters of the nearer cell on each axis.
fn between(coarse: &Grid<[f32; 3]>, x: usize, y: usize) -> [f32; 3] {
    let other = |at: usize, size: usize| {
        let near = at / 2;
        let far = if at % 2 == 0 {
            near.saturating_sub(1)
        } else {
            (near + 1).min(size - 1)
        };
        (near, far)
    };
    let ((near_x, far_x), (near_y, far_y)) = (other(x, coarse.width), other(y, coarse.height));
    let (a, b) = (coarse.at(near_x, near_y), coarse.at(far_x, near_y));
    let (c, d) = (coarse.at(near_x, far_y), coarse.at(far_x, far_y));
    [0, 1, 2].map(|channel| 0.5625 * a[channel] + 0.1875 * (b[channel] + c[channel]) + 0.0625 * d[channel])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texels_stay_and_the_rest_takes_their_colour() {
        let mut known = Grid::filled(37, 20, [0.0; 4]);
        for y in 5..15 {
            for x in 10..20 {
                known.set(x, y, [200.0, 100.0, 50.0, 1.0]);
            }
        }
        let filled = bleed(known);
        for (index, colour) in filled.values.iter().enumerate() {
            for (channel, expected) in [200.0, 100.0, 50.0].into_iter().enumerate() {
                assert!(
                    (colour[channel] - expected).abs() < 0.01,
                    "texel {index}: {colour:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_known_gives_black_not_nonsense() {
        let filled = bleed(Grid::filled(8, 8, [0.0; 4]));
        assert!(filled.values.iter().flatten().all(|value| *value == 0.0));
    }
}
