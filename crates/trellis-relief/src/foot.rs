//! What the object stands on: the parts of its outline's lower edge that are level.
//!
//! An edge that is level but for a few cells and ends in a corner, as those of a lamp or a shoe do, is made level.
//! There the solid has a sole, as deep as the object is above it, instead of a rounded edge. The lowest part of
//! something round is as level as that, but has no corner at its ends: a ball has no sole.

use crate::grid::Grid;
use crate::grid::INSIDE;

/// How far an edge may be from level, relative to the object's height.
const UNEVEN: f64 = 0.008;
/// How much of the object may be added to make edges level.
const ADDED: f64 = 0.003;
/// How far above the lowest edge others are soles too, relative to the object's height: the camera mostly
/// looks down a little, so of four legs two are higher in the picture.
const HIGHER: f64 = 0.12;
/// The least length of an edge over what it may be from level.
const FLAT: usize = 8;
/// How much longer an edge gets when it may be twice as far from level, for it to be round: one with a corner at
/// each end hardly gets longer, that of a circle or an ellipse 1.4 times.
const ROUND: f64 = 1.27;
/// How far the corners may be above the lowest part of the edge, relative to the object's height: seen from slightly
/// above a level edge bulges.
const BULGE: f64 = 0.035;
/// The narrowest sole, relative to the object's width, and in cells.
const NARROWEST: f64 = 0.04;
const FEWEST: usize = 4;

/// The level edges.
#[derive(Debug, Clone)]
pub(crate) struct Feet {
    /// Whether the lower side of a cell is part of a sole.
    pub(crate) soles: Grid<bool>,
    /// The cells along the longest one.
    pub(crate) longest: usize,
}

impl Feet {
    /// The cells along each sole, first and end.
    pub(crate) fn runs(&self) -> Vec<[usize; 2]> {
        let mut runs: Vec<[usize; 2]> = Vec::new();
        for cell in (0..self.soles.values.len()).filter(|cell| self.soles.values[*cell]) {
            match runs.last_mut() {
                Some([_, end]) if *end == cell => *end += 1,
                _ => runs.push([cell, cell + 1]),
            }
        }
        runs
    }
}

/// A level edge: from column to column, the last one included, below the cells of one row.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: usize,
    last: usize,
    row: usize,
}

impl Run {
    fn length(self) -> usize {
        self.last + 1 - self.first
    }
}

/// Finds the level parts of the lower edge and makes them straight, in place. The outermost cells must be
/// outside.
pub(crate) fn level(coverage: &mut Grid<f32>) -> Feet {
    let mut feet = Feet {
        soles: coverage.map(|_| false),
        longest: 0,
    };
    let bottoms: Vec<Option<usize>> = (0..coverage.width)
        .map(|x| (0..coverage.height).rfind(|y| coverage.at(x, *y) >= INSIDE))
        .collect();
    let width = bottoms.iter().flatten().count();
    let cells = coverage.values.iter().filter(|here| **here >= INSIDE).count();
    let top = (0..coverage.height)
        .find(|y| (0..coverage.width).any(|x| coverage.at(x, *y) >= INSIDE))
        .unwrap_or(0);
    let lowest = bottoms.iter().flatten().copied().max().unwrap_or(0);
    let height = (lowest + 1 - top) as f64;
    let narrowest = FEWEST.max((NARROWEST * width as f64) as usize);
    let mut spare = ADDED * cells as f64;
    let mut seen = vec![false; bottoms.len()];
    while let Some(start) = lowest_unseen(&bottoms, &seen) {
        let row = bottoms[start].unwrap_or(0);
        if ((lowest - row) as f64) > HIGHER * height {
            break;
        }
        let mut uneven = (UNEVEN * height).round().max(1.0) as usize;
        let widest = run(&bottoms, start, uneven);
        while uneven > 0 && run(&bottoms, start, uneven).length() < FLAT * uneven {
            uneven -= 1;
        }
        let round = is_round(&bottoms, start, uneven, (BULGE * height) as usize);
        let mut found = run(&bottoms, start, uneven);
        while added(&bottoms, found) as f64 > spare && uneven > 0 {
            uneven -= 1;
            found = run(&bottoms, start, uneven);
        }
        // An edge that goes on downwards on one side is the upper part of a slope.
        let slope = [widest.first.wrapping_sub(1), widest.last + 1]
            .into_iter()
            .any(|beside| seen.get(beside) == Some(&true));
        seen[widest.first..=widest.last].fill(true);
        if slope || round || found.length() < narrowest {
            continue;
        }
        spare -= added(&bottoms, found) as f64;
        straighten(coverage, &bottoms, found);
        feet.longest = feet.longest.max(found.length());
        for x in found.first..=found.last {
            feet.soles.set(x, found.row, true);
        }
    }
    feet
}

fn lowest_unseen(bottoms: &[Option<usize>], seen: &[bool]) -> Option<usize> {
    (0..bottoms.len())
        .filter(|x| !seen[*x] && bottoms[*x].is_some())
        .max_by_key(|x| bottoms[*x])
}

/// The columns around `start` whose lower ends are at most `uneven` cells higher.
fn run(bottoms: &[Option<usize>], start: usize, uneven: usize) -> Run {
    let row = bottoms[start].unwrap_or(0);
    let near = |x: usize| bottoms[x].is_some_and(|bottom| bottom <= row && bottom + uneven >= row);
    let first = (0..start).rev().take_while(|x| near(*x)).last().unwrap_or(start);
    let last = (start..bottoms.len())
        .take_while(|x| near(*x))
        .last()
        .unwrap_or(start);
    Run { first, last, row }
}

/// Whether the edge around `start` has no corners up to `bulge` cells above it.
fn is_round(bottoms: &[Option<usize>], start: usize, uneven: usize, bulge: usize) -> bool {
    (uneven..=bulge.max(uneven)).all(|uneven| {
        let length = run(bottoms, start, uneven).length();
        // A run may be up to a cell more from level than it says, and is of whole cells.
        let longer = run(bottoms, start, 2 * uneven + 1).length();
        length < FLAT * uneven || longer as f64 + 1.0 >= ROUND * length as f64
    })
}

/// How many cells it takes to make a run straight.
fn added(bottoms: &[Option<usize>], run: Run) -> usize {
    let columns = bottoms[run.first..=run.last].iter().flatten();
    columns.map(|bottom| run.row - bottom).sum()
}

fn straighten(coverage: &mut Grid<f32>, bottoms: &[Option<usize>], run: Run) {
    for x in run.first..=run.last {
        for y in bottoms[x].unwrap_or(run.row)..=run.row {
            coverage.set(x, y, 1.0);
        }
        coverage.set(x, run.row + 1, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(inside: impl Fn(f64, f64) -> bool) -> Grid<f32> {
        let size = 200;
        let mut grid = Grid::filled(size, size, 0.0);
        for y in 2..size - 2 {
            for x in 2..size - 2 {
                grid.set(x, y, f32::from(u8::from(inside(x as f64, y as f64))));
            }
        }
        grid
    }

    fn soles(feet: &Feet) -> Vec<(usize, usize)> {
        let cells = feet.soles.values.iter().enumerate().filter(|(_, sole)| **sole);
        cells.map(|(cell, _)| (cell % 200, cell / 200)).collect()
    }

    #[test]
    fn an_uneven_lower_edge_becomes_level() {
        let mut grid = drawn(|x, y| (50.0..150.0).contains(&x) && y > 20.0 && y < 180.0 + (x % 4.0).min(1.0));
        let feet = level(&mut grid);
        let found = soles(&feet);
        assert_eq!(found.len(), 100);
        assert_eq!(feet.longest, 100);
        for (x, y) in found {
            assert!(grid.at(x, y) >= INSIDE && grid.at(x, y + 1) < INSIDE);
        }
    }

    #[test]
    fn both_legs_have_a_sole_and_the_slope_between_has_none() {
        let mut grid = drawn(|x, y| {
            let legs = (40.0..70.0).contains(&x) && y < 180.0 || (120.0..160.0).contains(&x) && y < 170.0;
            y > 30.0 && (legs || (40.0..160.0).contains(&x) && y < 60.0 + x / 2.0)
        });
        let feet = level(&mut grid);
        let rows: Vec<usize> = soles(&feet).iter().map(|(_, y)| *y).collect();
        assert_eq!(rows.iter().filter(|row| **row == 179).count(), 30);
        assert_eq!(rows.iter().filter(|row| **row == 169).count(), 40);
        assert_eq!(rows.len(), 70);
    }

    #[test]
    fn what_is_round_below_has_no_sole() {
        // No object is smaller: it would be enlarged.
        for radius in [33.3, 40.0, 51.0, 70.2, 90.0] {
            for shift in [0.0, 0.21, 0.5, 0.74] {
                for (across, down) in [(1.0, 1.0), (1.0, 0.6), (0.5, 1.0)] {
                    let mut grid = drawn(|x, y| {
                        let (x, y) = ((x - 100.0 - shift) / across, (y - 100.0 + shift) / down);
                        x.hypot(y) < radius
                    });
                    let before = grid.clone();
                    let found = soles(&level(&mut grid)).len();
                    assert_eq!(found, 0, "{across} by {down} of {radius}, at {shift}");
                    assert_eq!(grid, before);
                }
            }
        }
    }

    #[test]
    fn what_has_corners_below_has_a_sole_from_corner_to_corner() {
        type Side = fn(f64, f64) -> bool;
        for (name, side, width) in [
            ("square", (|x, _| (x - 100.0).abs() < 60.0) as Side, 119),
            (
                "wider above",
                |x, y| (x - 100.0).abs() < 60.0 - 0.5 * (y - 180.0),
                119,
            ),
            (
                "wider below",
                |x, y| (x - 100.0).abs() < 60.0 + 0.2 * (y - 180.0),
                119,
            ),
            (
                "heel and toe",
                |x, y| x > 40.0 && (x < 120.0 || (x - 120.0).hypot(y - 140.0) < 40.0),
                90,
            ),
            (
                "bulging",
                |x, y| (x - 100.0).abs() < 60.0 && y < 180.0 - (x - 100.0).powi(2) / 900.0,
                85,
            ),
        ] {
            let mut grid = drawn(|x, y| y > 20.0 && y < 180.0 && side(x, y));
            let feet = level(&mut grid);
            println!("{name}: {}", feet.longest);
            assert!(
                feet.longest.abs_diff(width) <= width / 10,
                "{name}: {}",
                feet.longest
            );
        }
    }

    /// The outline is to stay as it is in the picture: that it overlaps by 0.985 and more must not be spent here.
    #[test]
    fn levelling_adds_little_to_the_object() {
        let waves = |x: f64| 3.0 * (x / 5.0).sin();
        let shapes: [&dyn Fn(f64, f64) -> bool; 3] = [
            &|x, y| (x - 100.0).abs() < 90.0 && y > 40.0 && y < 180.0 - (x - 100.0).powi(2) / 2000.0,
            &|x, y| (x - 100.0).abs() < 90.0 && y > 20.0 && y < 180.0 + waves(x),
            &|x, y| (x - 100.0).abs() % 40.0 < 30.0 && y > 20.0 && y < 180.0 - (x - 100.0) / 12.0,
        ];
        for (number, shape) in shapes.into_iter().enumerate() {
            let mut grid = drawn(shape);
            let count = |grid: &Grid<f32>| grid.values.iter().filter(|here| **here >= INSIDE).count();
            let before = count(&grid);
            assert!(!soles(&level(&mut grid)).is_empty(), "{number}");
            let added = count(&grid) - before;
            println!("{number}: {added} of {before}");
            assert!(
                added as f64 <= 0.003 * before as f64,
                "{number}: {added} of {before}"
            );
        }
    }

    #[test]
    fn a_corner_is_no_sole() {
        let mut grid = drawn(|x, y| (x - 100.0).abs() + (y - 100.0).abs() < 80.0);
        let before = grid.clone();
        assert!(soles(&level(&mut grid)).is_empty());
        assert_eq!(grid, before);
    }
}
