//! The union of all balls whose middle sections fit into the outline.
//!
//! A ball around the cell `q` is as large as `q` is far from the outline, so its squared height over `p` is
//! `distance²(q) − |p − q|²`; the union is the largest of these. Both the distances and the union are lower
//! envelopes of parabolas, found row by row and then column by column (Felzenszwalb and Huttenlocher, 2012).
//! Small dents and bumps of an outline move the union little, unlike its skeleton.

use crate::grid::Grid;

/// How flat the balls are: a ball of width `a` is `a / FLAT` high and `a` deep, because most things stand
/// upright and are as deep as they are wide. A disc still becomes a ball, an upright strip a round column; a
/// strip that lies is `FLAT` times as deep as it is high.
pub(crate) const FLAT: f32 = 1.4;
/// How far before the centre of the nearest cell outside the outline runs: less than half a cell, because of all
/// cells along it the nearest counts.
const HALF: f32 = 0.35;

/// The squared height of the union over each cell of `solid`, in cells; 0 elsewhere.
pub(crate) fn squared_heights(solid: &Grid<bool>) -> Grid<f32> {
    let outside = solid.map(|solid| if solid { f32::INFINITY } else { 0.0 });
    let squared = envelope(&outside);
    let balls = Grid {
        values: squared
            .values
            .iter()
            .zip(&solid.values)
            .map(|(squared, solid)| match solid {
                true => -(squared.sqrt() - HALF).powi(2),
                false => f32::INFINITY,
            })
            .collect(),
        width: solid.width,
        height: solid.height,
    };
    let mut union = envelope(&balls);
    for (height, solid) in union.values.iter_mut().zip(&solid.values) {
        *height = if *solid { (-*height).max(0.0) } else { 0.0 };
    }
    union
}

/// For each cell `p` the least of `from(q) + |p − q|²` over all `q`, rows apart counting [`FLAT`] times.
fn envelope(from: &Grid<f32>) -> Grid<f32> {
    let rows = along_rows(from, 1.0);
    transposed(&along_rows(&transposed(&rows), FLAT * FLAT))
}

fn transposed(grid: &Grid<f32>) -> Grid<f32> {
    let mut out = Grid::filled(grid.height, grid.width, 0.0);
    for (y, row) in grid.values.chunks_exact(grid.width).enumerate() {
        for (x, value) in row.iter().enumerate() {
            out.values[x * grid.height + y] = *value;
        }
    }
    out
}

fn along_rows(grid: &Grid<f32>, weight: f32) -> Grid<f32> {
    let mut out = grid.clone();
    let mut lowest: Vec<Parabola> = Vec::with_capacity(grid.width);
    let rows = grid.values.chunks_exact(grid.width);
    for (row, out) in rows.zip(out.values.chunks_exact_mut(grid.width)) {
        lowest.clear();
        for (at, bottom) in row.iter().enumerate().filter(|(_, bottom)| bottom.is_finite()) {
            let mut next = Parabola {
                at: at as f32,
                bottom: *bottom,
                from: f32::NEG_INFINITY,
            };
            while let Some(last) = lowest.last() {
                next.from = last.crosses(&next, weight);
                if next.from > last.from {
                    break;
                }
                lowest.pop();
                next.from = f32::NEG_INFINITY;
            }
            lowest.push(next);
        }
        let mut current = 0;
        if lowest.is_empty() {
            out.fill(f32::INFINITY);
            continue;
        }
        for (x, value) in out.iter_mut().enumerate() {
            let x = x as f32;
            while lowest.get(current + 1).is_some_and(|next| next.from < x) {
                current += 1;
            }
            *value = lowest[current].bottom + weight * (x - lowest[current].at).powi(2);
        }
    }
    out
}

/// A parabola, lowest of all from some place on.
struct Parabola {
    at: f32,
    bottom: f32,
    from: f32,
}

impl Parabola {
    /// Where another, further right, comes to lie below this one.
    fn crosses(&self, other: &Self, weight: f32) -> f32 {
        let apart = other.at - self.at;
        (other.bottom - self.bottom) / (2.0 * weight * apart) + f32::midpoint(self.at, other.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(size: usize, inside: impl Fn(f32, f32) -> bool) -> Grid<bool> {
        let mut grid = Grid::filled(size, size, false);
        let middle = (size as f32 - 1.0) / 2.0;
        for y in 1..size - 1 {
            for x in 1..size - 1 {
                grid.set(x, y, inside(x as f32 - middle, y as f32 - middle));
            }
        }
        grid
    }

    #[test]
    fn the_envelope_is_the_least_of_all_parabolas() {
        let mut from = Grid::filled(23, 17, f32::INFINITY);
        for (x, y, bottom) in [(3, 4, 2.0), (20, 1, -30.0), (11, 16, 0.0), (12, 16, -1.0)] {
            from.set(x, y, bottom);
        }
        let found = envelope(&from);
        for y in 0..17 {
            for x in 0..23 {
                let least = (0..17 * 23).fold(f32::INFINITY, |least, cell| {
                    let across = (cell % 23) as f32 - x as f32;
                    let down = FLAT * ((cell / 23) as f32 - y as f32);
                    least.min(from.values[cell] + across * across + down * down)
                });
                assert!((found.at(x, y) - least).abs() < 1e-3, "at {x}, {y}");
            }
        }
    }

    #[test]
    fn a_disc_is_a_ball_and_strips_are_columns() {
        let radius = 50.0_f32;
        let ball = squared_heights(&drawn(129, |x, y| x.hypot(y) < radius));
        for (x, y) in [(64, 64), (90, 64), (64, 90), (40, 40), (64, 106)] {
            let (across, down) = (x as f32 - 64.0, y as f32 - 64.0);
            let expected = (radius * radius - across * across - down * down).sqrt();
            let height = ball.at(x, y).sqrt();
            assert!(
                (height - expected).abs() < 2.0,
                "at {x}, {y}: {height}, not {expected}"
            );
        }
        let column = squared_heights(&drawn(129, |x, y| x.abs() < 20.0 && y.abs() < 60.0));
        assert!((column.at(64, 64).sqrt() - 20.0).abs() < 1.0);
        assert!((column.at(76, 64).sqrt() - 16.0).abs() < 1.0);
        let lying = squared_heights(&drawn(129, |x, y| y.abs() < 20.0 && x.abs() < 60.0));
        assert!((lying.at(64, 64).sqrt() - FLAT * 20.0).abs() < 1.5);
    }
}
