//! Inflates the outline: `∇²u = −4` inside, `u = 0` on the outline, height `√u`.
//!
//! For a disc that is a half ball, for anything else a balloon as thick as the part is wide. The outline
//! runs between cells; a cell next to it takes the true distance `t` to it (1 ⁄ t on the diagonal, which
//! keeps the equations symmetric; after Gibou and others, 2002), so that the rim shows no stairs.

use crate::coverage::INSIDE;
use crate::grid::Grid;
use crate::multigrid::{self, Equations};
use crate::outline::crossing;

/// `−∇²u`: 4 makes a disc's height its radius.
const SOURCE: f32 = 4.0;
/// What may be left of the equations when the solution is taken.
const TOLERANCE: f32 = 1e-4;

/// Heights on the grid's cells, in cells; 0 outside.
pub(crate) struct Inflated {
    pub(crate) height: Grid<f32>,
    /// The gradient of `u = height²`, extended over the outline; it points inwards.
    pub(crate) gradient: Grid<[f32; 2]>,
}

/// Inflates the cells with [`INSIDE`] coverage or more. The outermost cells must be outside.
pub(crate) fn inflate(coverage: &Grid<f32>) -> Inflated {
    let (width, height) = (coverage.width, coverage.height);
    let mut equations = Equations {
        width,
        height,
        diagonal: vec![1.0; width * height],
        right: vec![0.0; width * height],
        down: vec![0.0; width * height],
    };
    let mut source = vec![0.0; width * height];
    for cell in 0..width * height {
        let here = coverage.values[cell];
        if here < INSIDE {
            continue;
        }
        source[cell] = SOURCE;
        equations.diagonal[cell] = coverage
            .neighbours(cell)
            .map(|next| match coverage.values[next] {
                there if there >= INSIDE => 1.0,
                there => 1.0 / crossing(here, there),
            })
            .sum();
        // The outermost cells are outside, so there are cells at the right and below.
        equations.right[cell] = f32::from(u8::from(coverage.values[cell + 1] >= INSIDE));
        equations.down[cell] = f32::from(u8::from(coverage.values[cell + width] >= INSIDE));
    }
    let (u, _) = multigrid::solve(equations, source, TOLERANCE);
    let u = Grid {
        width,
        height,
        values: u,
    };
    Inflated {
        height: u.map(|u| u.max(0.0).sqrt()),
        gradient: gradient(coverage, &u),
    }
}

fn gradient(coverage: &Grid<f32>, u: &Grid<f32>) -> Grid<[f32; 2]> {
    let width = u.width;
    let mut out = u.map(|_| [0.0; 2]);
    for cell in 0..u.values.len() {
        let here = coverage.values[cell];
        if here < INSIDE {
            continue;
        }
        // Across the outline `u` goes on as the straight line through 0 on it.
        let beyond = |next: usize| match coverage.values[next] {
            there if there >= INSIDE => u.values[next],
            there => {
                let t = crossing(here, there).max(0.25);
                -u.values[cell] * (1.0 - t) / t
            }
        };
        out.values[cell] = [
            (beyond(cell + 1) - beyond(cell - 1)) / 2.0,
            (beyond(cell + width) - beyond(cell - width)) / 2.0,
        ];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc(size: usize, radius: f32) -> Grid<f32> {
        let mut grid = Grid::filled(size, size, 0.0);
        let middle = (size as f32 - 1.0) / 2.0;
        for y in 1..size - 1 {
            for x in 1..size - 1 {
                let away = (x as f32 - middle).hypot(y as f32 - middle);
                grid.set(x, y, (radius - away + 0.5).clamp(0.0, 1.0));
            }
        }
        grid
    }

    #[test]
    fn a_disc_becomes_a_half_ball() {
        let (size, radius) = (129, 55.3);
        let inflated = inflate(&disc(size, radius));
        for x in 12..size - 12 {
            let away = x as f32 - 64.0;
            let expected = (radius * radius - away * away).max(0.0).sqrt();
            let height = inflated.height.at(x, 64);
            assert!(
                (height - expected).abs() < 0.4,
                "at {x}: {height}, not {expected}"
            );
        }
    }

    #[test]
    fn the_solver_needs_few_rounds_at_full_size() {
        let coverage = disc(386, 190.0);
        let inside = coverage.map(|coverage| f32::from(u8::from(coverage >= INSIDE)));
        let (width, height) = (inside.width, inside.height);
        let shifted = |by: usize| {
            (0..width * height)
                .map(|cell| inside.values[cell] * inside.values.get(cell + by).copied().unwrap_or(0.0))
                .collect()
        };
        let equations = Equations {
            width,
            height,
            diagonal: inside.values.iter().map(|inside| 1.0 + 3.0 * inside).collect(),
            right: shifted(1),
            down: shifted(width),
        };
        let (_, rounds) = multigrid::solve(equations, inside.values.clone(), TOLERANCE);
        println!("{rounds} rounds");
        assert!(rounds <= 30, "{rounds} rounds");
    }
}
