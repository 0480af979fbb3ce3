//! Where the outline crosses the lines between cells.
//!
//! Coverage is taken as linear between neighbouring cell centres; the outline is where it is one half.
//! A picture cut out without soft edges has only 0 and 1, which would make every crossing fall half-way
//! and slanted edges look like stairs: such edges are softened first, without moving any cell to the
//! other side.

use crate::grid::Grid;
use crate::grid::INSIDE;

/// How near to a cell centre a crossing may be, in cells: keeps triangles from degenerating.
const NEAREST: f32 = 0.04;
/// How far a softened cell stays from the threshold.
const SOFTEST: f32 = 0.04;

/// How far from an inside cell, towards an outside one, the outline runs: between 0 and 1 cells.
pub(crate) fn crossing(inside: f32, outside: f32) -> f32 {
    ((inside - INSIDE) / (inside - outside)).clamp(NEAREST, 1.0 - NEAREST)
}

/// Softens edges that are hard, in place. Edges that are soft already, and lines one cell thin, stay.
pub(crate) fn soften(grid: &mut Grid<f32>) {
    if !mostly_hard(grid) {
        return;
    }
    let blurred = blur(&blur(grid));
    let source = grid.clone();
    for y in 1..grid.height - 1 {
        for x in 1..grid.width - 1 {
            let old = source.at(x, y);
            let soft = blurred.at(x, y);
            if !(on_rim(&source, x, y) && thick(&source, x, y)) {
                continue;
            }
            let new = if old >= INSIDE {
                soft.max(INSIDE + SOFTEST)
            } else {
                soft.min(INSIDE - SOFTEST)
            };
            grid.set(x, y, new);
        }
    }
}

/// Whether most of the cells on the rim go straight from full to empty.
fn mostly_hard(grid: &Grid<f32>) -> bool {
    let (mut hard, mut all) = (0_usize, 0_usize);
    for y in 0..grid.height {
        for x in 1..grid.width {
            let (a, b) = (grid.at(x - 1, y), grid.at(x, y));
            if (a >= INSIDE) != (b >= INSIDE) {
                all += 1;
                hard += usize::from((a - b).abs() > 0.98);
            }
        }
    }
    hard * 2 > all
}

/// Whether the outline runs between this cell and one of its neighbours.
fn on_rim(grid: &Grid<f32>, x: usize, y: usize) -> bool {
    let side = |x: usize, y: usize| grid.at(x, y) >= INSIDE;
    [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
        .into_iter()
        .any(|(column, row)| side(column, row) != side(x, y))
}

/// Whether some block of two by two cells around this one is all on its side, and likewise for the cells
/// across the outline: only there can the outline move without eating a thin line or closing a thin gap.
fn thick(grid: &Grid<f32>, x: usize, y: usize) -> bool {
    let side = |x: usize, y: usize| grid.at(x, y) >= INSIDE;
    let in_block = |x: usize, y: usize| {
        let same = side(x, y);
        [(0, 0), (1, 0), (0, 1), (1, 1)]
            .into_iter()
            .any(|(across, down)| {
                let blocks = [(0, 0), (1, 0), (0, 1), (1, 1)];
                blocks.into_iter().all(|(right, below)| {
                    let (column, row) = (x + right, y + below);
                    if column < across || row < down {
                        return !same;
                    }
                    let (column, row) = (column - across, row - down);
                    if column >= grid.width || row >= grid.height {
                        return !same;
                    }
                    side(column, row) == same
                })
            })
    };
    (y - 1..=y + 1).all(|row| (x - 1..=x + 1).all(|column| in_block(column, row)))
}

/// Binomial over three by three cells.
fn blur(grid: &Grid<f32>) -> Grid<f32> {
    let mut out = grid.clone();
    for y in 0..grid.height {
        for x in 0..grid.width {
            let (x, y) = (x as isize, y as isize);
            let line = |y: isize| {
                grid.get_or(x - 1, y, 0.0) + 2.0 * grid.get_or(x, y, 0.0) + grid.get_or(x + 1, y, 0.0)
            };
            out.set(
                x as usize,
                y as usize,
                (line(y - 1) + 2.0 * line(y) + line(y + 1)) / 16.0,
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wedge(x: usize, y: usize) -> f32 {
        // A slope of one in four, cut hard.
        f32::from(u8::from(y * 4 > x + 20 && y < 36 && x > 3 && x < 60))
    }

    #[test]
    fn softening_straightens_stairs_and_moves_no_cell() {
        let mut grid = Grid::filled(64, 40, 0.0);
        for y in 0..40 {
            for x in 0..64 {
                grid.set(x, y, wedge(x, y));
            }
        }
        let hard = grid.clone();
        soften(&mut grid);
        let mut worst = 0.0_f32;
        for x in 10..50 {
            let y = (0..40).find(|y| grid.at(x, *y) >= INSIDE).unwrap();
            let edge = y as f32 - crossing(grid.at(x, y), grid.at(x, y - 1));
            worst = worst.max((edge - (x as f32 + 20.0) / 4.0 - 0.125).abs());
        }
        assert!(
            worst < 0.3,
            "off the straight line by {worst} cells; hard stairs are off by 0.5"
        );
        for (soft, hard) in grid.values.iter().zip(&hard.values) {
            assert_eq!(*soft >= INSIDE, *hard >= INSIDE);
        }
    }

    #[test]
    fn a_line_one_cell_thin_is_left_alone() {
        let mut grid = Grid::filled(20, 9, 0.0);
        for x in 3..17 {
            grid.set(x, 4, 1.0);
        }
        let before = grid.clone();
        soften(&mut grid);
        assert_eq!(grid, before);
    }

    #[test]
    fn soft_edges_are_left_alone() {
        let mut grid = Grid::filled(20, 20, 0.0);
        for y in 5..15 {
            for x in 5..15 {
                let rim = x == 5 || x == 14 || y == 5 || y == 14;
                grid.set(x, y, if rim { 0.6 } else { 1.0 });
            }
        }
        let before = grid.clone();
        soften(&mut grid);
        assert_eq!(grid, before);
    }
}
