//! Inflates the outline: round cross-sections as deep as the part is wide, smooth from part to part.
//!
//! The union of balls (`balls.rs`) has the right depth everywhere, but creases where parts meet. So the squared
//! height `u` solves `u ⁄ λ² − ∇²u = union ⁄ λ² + 3` with `u = 0` on the outline: the union, diffused over a
//! length `λ` that is a share of its own height, hence fine where the object is thin and at its rim. The outline
//! runs between cells; a cell next to it takes the true distance `t` to it (1 ⁄ t on the diagonal, which
//! keeps the equations symmetric; after Gibou and others, 2002), so that the rim shows no stairs. Near it
//! `u` is linear and the height a root: the rim is round. Through a sole nothing flows: below it
//! the object goes on, mirrored.

use crate::balls;
use crate::foot::Feet;
use crate::grid::Grid;
use crate::grid::INSIDE;
use crate::multigrid::{self, Equations};
use crate::outline::crossing;

/// The square of the length of diffusion, relative to the squared height.
const DIFFUSION: f32 = 0.03;
/// `−∇²u` of a ball is 4 and of a column 2: with the mean as source neither loses height to the diffusion.
const SOURCE: f32 = 3.0;
/// Depth over width: up to the first an object is as flat as its parts, from the second on it is as deep as the third.
const FLAT_BELOW: f32 = 0.55;
const ROUND_FROM: f32 = 0.68;
const ROUND: f32 = 0.85;
/// The width of a sole over the height above it up to which all of that height is mirrored.
const UPRIGHT: f32 = 1.5;
/// What may be left of the equations when the solution is taken, relative to what the union leaves.
const TOLERANCE: f32 = 3e-3;

/// Heights on the grid's cells, in cells; 0 outside.
pub(crate) struct Inflated {
    pub(crate) height: Grid<f32>,
    /// The gradient of `u = height²`; it points inwards. 0 outside.
    pub(crate) gradient: Grid<[f32; 2]>,
    /// Where the lower side of a cell is a sole.
    pub(crate) soles: Grid<bool>,
}

impl Inflated {
    /// Height and gradient between cell centres. The gradient is that of the cells around which are inside: with
    /// those outside, which have none, a place beside the outline would face the onlooker.
    pub(crate) fn at(&self, [x, y]: [f32; 2]) -> (f32, [f32; 2]) {
        let (mut sum, mut weights) = ([0.0; 2], 0.0);
        for (column, row) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let (column, row) = (x.max(0.0).floor() + column, y.max(0.0).floor() + row);
            let weight = (1.0 - (x - column).abs()) * (1.0 - (y - row).abs());
            let cell = (column as isize, row as isize);
            if weight > 0.0 && self.height.get_or(cell.0, cell.1, 0.0) > 0.0 {
                let gradient = self.gradient.at(cell.0 as usize, cell.1 as usize);
                sum = [0, 1].map(|axis| sum[axis] + weight * gradient[axis]);
                weights += weight;
            }
        }
        let gradient = if weights > 0.0 {
            sum.map(|sum| sum / weights)
        } else {
            sum
        };
        (self.height.linear(x, y), gradient)
    }
}

/// Inflates the cells with [`INSIDE`] coverage or more. The outermost cells must be outside.
pub(crate) fn inflate(coverage: &Grid<f32>, feet: Feet) -> Inflated {
    let (width, height) = (coverage.width, coverage.height);
    let target = targets(coverage, &feet);
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
        let union = target.values[cell];
        // The outermost cells are outside, so all four neighbours are there.
        let flow: f32 = [cell - 1, cell + 1, cell - width, cell + width]
            .map(|next| match coverage.values[next] {
                there if there >= INSIDE => 1.0,
                _ if next == cell + width && feet.soles.values[cell] => 0.0,
                there => 1.0 / crossing(here, there),
            })
            .iter()
            .sum();
        equations.diagonal[cell] = flow + 1.0 / (DIFFUSION * union);
        source[cell] = 1.0 / DIFFUSION + SOURCE;
        equations.right[cell] = f32::from(u8::from(coverage.values[cell + 1] >= INSIDE));
        equations.down[cell] = f32::from(u8::from(coverage.values[cell + width] >= INSIDE));
    }
    // The union is near the solution: what is solved for is the difference.
    let mut u = target;
    let mut product = vec![0.0; width * height];
    equations.apply(&u.values, &mut product);
    source
        .iter_mut()
        .zip(&product)
        .for_each(|(source, product)| *source -= product);
    let (difference, _) = multigrid::solve(equations, source, TOLERANCE);
    for (cell, u) in u.values.iter_mut().enumerate() {
        // Coarse grids leave a trace outside.
        *u = if coverage.values[cell] >= INSIDE {
            *u + difference[cell]
        } else {
            0.0
        };
    }
    let stretch = stretch(coverage, &u).powi(2);
    let u = u.map(|u| u * stretch);
    Inflated {
        height: u.map(|u| u.max(0.0).sqrt()),
        gradient: gradient(coverage, &feet, &u),
        soles: feet.soles,
    }
}

/// How much deeper an object is than its parts. What stands out at its sides, as the roof of a lantern does, stands
/// out in front as well, where the outline cannot show it: what is nearly round is made [`ROUND`].
fn stretch(coverage: &Grid<f32>, u: &Grid<f32>) -> f32 {
    let depth = 2.0 * u.values.iter().fold(0.0_f32, |most, u| most.max(*u)).sqrt();
    let covered = |x: &usize| (0..coverage.height).any(|y| coverage.at(*x, y) >= INSIDE);
    let ratio = depth / (0..coverage.width).filter(covered).count().max(1) as f32;
    if ratio <= FLAT_BELOW {
        return 1.0;
    }
    let share = ((ratio - FLAT_BELOW) / (ROUND_FROM - FLAT_BELOW)).min(1.0);
    let wanted = FLAT_BELOW + share * (ROUND - FLAT_BELOW);
    (wanted / ratio).max(1.0)
}

/// The squared height of the union of balls; below a sole the object goes on, mirrored as far as it is
/// higher there than wide.
fn targets(coverage: &Grid<f32>, feet: &Feet) -> Grid<f32> {
    let width = coverage.width;
    let more = (feet.longest as f32 / (2.0 * balls::FLAT)).ceil() as usize;
    let mut solid = Grid::filled(width, coverage.height + more, false);
    for (solid, coverage) in solid.values.iter_mut().zip(&coverage.values) {
        *solid = *coverage >= INSIDE;
    }
    let outside = |cell: usize| coverage.values.get(cell).is_none_or(|there| *there < INSIDE);
    for [first, end] in feet.runs() {
        for cell in first..end {
            let above = (0..=cell).rev().step_by(width);
            let high = above.take_while(|above| !outside(*above)).count();
            // What lies flat, as a board does, must not become deeper by it.
            let upright = UPRIGHT * high as f32 / (end - first) as f32;
            let mirrored = (high as f32 * upright.powi(3).min(1.0)) as usize;
            let below = (cell + width..solid.values.len()).step_by(width);
            let free = below.take(mirrored).take_while(|below| outside(*below));
            free.for_each(|below| solid.values[below] = true);
        }
    }
    let mut union = balls::squared_heights(&solid);
    union.height = coverage.height;
    union.values.truncate(coverage.values.len());
    union
}

fn gradient(coverage: &Grid<f32>, feet: &Feet, u: &Grid<f32>) -> Grid<[f32; 2]> {
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
            _ if next == cell + width && feet.soles.values[cell] => u.values[cell],
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

    fn no_feet(size: usize) -> Feet {
        Feet {
            soles: Grid::filled(size, size, false),
            longest: 0,
        }
    }

    #[test]
    fn a_disc_becomes_a_half_ball() {
        let (size, radius) = (129, 55.3);
        let inflated = inflate(&disc(size, radius), no_feet(size));
        for x in 12..size - 12 {
            let away = x as f32 - 64.0;
            let expected = (radius * radius - away * away).max(0.0).sqrt();
            let height = inflated.height.at(x, 64);
            // The source is the mean of a ball's and a column's.
            assert!(
                (height - expected).abs() < 1.0,
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
