//! Fills texels of little or no weight with the colours around them.
//!
//! Pull and push: ever coarser means of what is known, then from coarse to fine each texel takes what it
//! lacks from the coarser mean, linear between its cells.

use crate::grid::Grid;

/// Red, green and blue times weight, and weight from 0 to 1.
pub(crate) type Weighted = [f32; 4];

/// The filled colours, the fourth channel without meaning. Texels of weight 1 stay exactly as they are.
pub(crate) fn bleed(known: Grid<Weighted>) -> Grid<[f32; 4]> {
    let mut levels = vec![known];
    while levels[levels.len() - 1]
        .width
        .max(levels[levels.len() - 1].height)
        > 1
    {
        let coarser = pull(&levels[levels.len() - 1]);
        levels.push(coarser);
    }
    let mut coarse = levels.pop().unwrap_or_else(|| Grid::filled(1, 1, [0.0; 4]));
    for texel in &mut coarse.values {
        *texel = texel.map(|sum| sum / texel[3].max(1e-9));
    }
    while let Some(level) = levels.pop() {
        coarse = push(level, &coarse);
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

/// `fine` filled from the coarser colours, in place.
fn push(mut fine: Grid<Weighted>, coarse: &Grid<[f32; 4]>) -> Grid<[f32; 4]> {
    let width = fine.width;
    for (y, row) in fine.values.chunks_exact_mut(width).enumerate() {
        let (near, far) = two_nearest(y, coarse.height);
        let near = &coarse.values[near * coarse.width..][..coarse.width];
        let far = &coarse.values[far * coarse.width..][..coarse.width];
        for (x, texel) in row.iter_mut().enumerate() {
            let lacking = 1.0 - texel[3];
            if lacking <= 0.0 {
                continue;
            }
            // Linear between the coarse cells: three quarters of the nearer one on each axis.
            let (left, right) = two_nearest(x, coarse.width);
            let (a, b, c, d) = (near[left], near[right], far[left], far[right]);
            for channel in 0..4 {
                let around = 0.5625 * a[channel] + 0.1875 * (b[channel] + c[channel]) + 0.0625 * d[channel];
                texel[channel] += lacking * around;
            }
        }
    }
    fine
}

/// The coarse cell that a fine one is in, and the next nearest.
fn two_nearest(at: usize, size: usize) -> (usize, usize) {
    let near = at / 2;
    if at.is_multiple_of(2) {
        return (near, near.saturating_sub(1));
    }
    (near, (near + 1).min(size - 1))
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
        assert!(filled.values.iter().all(|texel| texel[..3] == [0.0; 3]));
    }
}
