//! Solves `A u = f` on a grid where each cell is coupled to its four neighbours: conjugate gradients,
//! preconditioned by one multigrid cycle.
//!
//! `A` is symmetric: `diagonal` on each cell, minus `right` to the cell at its right and minus `down` to
//! the one below. Coarser grids join two by two cells and add up what couples them (plain aggregation),
//! which holds for any mask. Joining makes the coarse equations too stiff by about two for smooth
//! errors, hence [`OVERSHOOT`]. Sums run in one fixed order: results do not depend on threads.

/// How much further than the coarse grid says a correction goes.
const OVERSHOOT: f32 = 1.8;
/// Damping of the Jacobi sweeps that smooth the error on each grid, and how many before and after.
const DAMPING: f32 = 0.7;
const SWEEPS: usize = 2;
/// Sweeps on the coarsest grid, and the cells below which a grid is not made coarser.
const COARSEST_SWEEPS: usize = 24;
const COARSEST_CELLS: usize = 64;
/// Rounds after which the solution is taken as it is; a dozen is usual.
const MOST_ROUNDS: usize = 200;

/// The equations on one grid.
pub(crate) struct Equations {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Above 0; 1 on cells outside the mask.
    pub(crate) diagonal: Vec<f32>,
    /// To the cell at the right; 0 in the last column and where either cell is outside.
    pub(crate) right: Vec<f32>,
    /// To the cell below; 0 in the last row and where either cell is outside.
    pub(crate) down: Vec<f32>,
}

impl Equations {
    /// `out = A x`.
    pub(crate) fn apply(&self, x: &[f32], out: &mut [f32]) {
        let (width, count) = (self.width, x.len());
        let start = (width + 1).min(count);
        let end = count.saturating_sub(width + 1).max(start);
        for cell in (0..start).chain(end..count) {
            out[cell] = self.apply_at_edge(x, cell);
        }
        if start == end {
            return;
        }
        // Everywhere else all four neighbours are there; couplings over the sides are 0. Slices of one
        // length let the compiler drop the bounds checks and use vector instructions.
        let inner = end - start;
        let out = &mut out[start..][..inner];
        let diagonal = &self.diagonal[start..][..inner];
        let (right, left) = (&self.right[start..][..inner], &self.right[start - 1..][..inner]);
        let (down, up) = (&self.down[start..][..inner], &self.down[start - width..][..inner]);
        let x_here = &x[start..][..inner];
        let (x_right, x_left) = (&x[start + 1..][..inner], &x[start - 1..][..inner]);
        let (x_down, x_up) = (&x[start + width..][..inner], &x[start - width..][..inner]);
        for i in 0..inner {
            out[i] = diagonal[i] * x_here[i]
                - right[i] * x_right[i]
                - left[i] * x_left[i]
                - down[i] * x_down[i]
                - up[i] * x_up[i];
        }
    }

    /// The same for a cell that may lack neighbours in `x`.
    fn apply_at_edge(&self, x: &[f32], cell: usize) -> f32 {
        let mut sum = self.diagonal[cell] * x[cell];
        if cell + 1 < x.len() {
            sum -= self.right[cell] * x[cell + 1];
        }
        if cell > 0 {
            sum -= self.right[cell - 1] * x[cell - 1];
        }
        if cell + self.width < x.len() {
            sum -= self.down[cell] * x[cell + self.width];
        }
        if cell >= self.width {
            sum -= self.down[cell - self.width] * x[cell - self.width];
        }
        sum
    }

    /// The equations on a grid of half the size.
    fn coarser(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut coarse = Self {
            width,
            height,
            diagonal: vec![0.0; width * height],
            right: vec![0.0; width * height],
            down: vec![0.0; width * height],
        };
        for y in 0..self.height {
            for x in 0..self.width {
                let cell = y * self.width + x;
                let target = (y / 2) * width + x / 2;
                coarse.diagonal[target] += self.diagonal[cell];
                if x % 2 == 0 {
                    coarse.diagonal[target] -= 2.0 * self.right[cell];
                } else {
                    coarse.right[target] += self.right[cell];
                }
                if y % 2 == 0 {
                    coarse.diagonal[target] -= 2.0 * self.down[cell];
                } else {
                    coarse.down[target] += self.down[cell];
                }
            }
        }
        coarse
    }
}

/// One grid with its scratch space.
struct Level {
    equations: Equations,
    /// Damping over diagonal.
    step: Vec<f32>,
    x: Vec<f32>,
    f: Vec<f32>,
    spare: Vec<f32>,
}

impl Level {
    fn new(equations: Equations) -> Self {
        let count = equations.diagonal.len();
        let step = equations
            .diagonal
            .iter()
            .map(|diagonal| DAMPING / diagonal)
            .collect();
        Self {
            equations,
            step,
            x: vec![0.0; count],
            f: vec![0.0; count],
            spare: vec![0.0; count],
        }
    }

    /// Damped Jacobi sweeps; the first from zero costs nothing but a product.
    fn smooth(&mut self, sweeps: usize, from_zero: bool) {
        let mut sweeps = sweeps;
        if from_zero {
            for ((x, f), step) in self.x.iter_mut().zip(&self.f).zip(&self.step) {
                *x = f * step;
            }
            sweeps -= 1;
        }
        for _ in 0..sweeps {
            self.equations.apply(&self.x, &mut self.spare);
            let right_side = self.f.iter().zip(&self.spare);
            for ((x, step), (f, product)) in self.x.iter_mut().zip(&self.step).zip(right_side) {
                *x += step * (f - product);
            }
        }
    }

    /// Adds up what is left to solve into the right side of the coarser grid.
    fn restrict(&mut self, coarse: &mut Level) {
        self.equations.apply(&self.x, &mut self.spare);
        for (product, f) in self.spare.iter_mut().zip(&self.f) {
            *product = f - *product;
        }
        coarse.f.fill(0.0);
        let width = self.equations.width;
        for (y, row) in self.spare.chunks_exact(width).enumerate() {
            let target = &mut coarse.f[(y / 2) * coarse.equations.width..][..coarse.equations.width];
            for (sum, pair) in target.iter_mut().zip(row.chunks(2)) {
                *sum += pair.iter().sum::<f32>();
            }
        }
    }

    fn correct(&mut self, coarse: &Level) {
        let width = self.equations.width;
        for (y, row) in self.x.chunks_exact_mut(width).enumerate() {
            let source = &coarse.x[(y / 2) * coarse.equations.width..][..coarse.equations.width];
            for (pair, correction) in row.chunks_mut(2).zip(source) {
                for x in pair {
                    *x += OVERSHOOT * correction;
                }
            }
        }
    }
}

/// The grids from fine to coarse.
struct Cycle {
    levels: Vec<Level>,
}

impl Cycle {
    fn new(fine: Equations) -> Self {
        let mut levels = vec![Level::new(fine)];
        while levels[levels.len() - 1].equations.diagonal.len() > COARSEST_CELLS {
            let coarser = levels[levels.len() - 1].equations.coarser();
            levels.push(Level::new(coarser));
        }
        Self { levels }
    }

    /// An approximate solution for the right side in `levels[0].f`, left in `levels[0].x`.
    fn run(&mut self) {
        let last = self.levels.len() - 1;
        for level in 0..last {
            let (fine, coarse) = self.levels.split_at_mut(level + 1);
            fine[level].smooth(SWEEPS, true);
            fine[level].restrict(&mut coarse[0]);
        }
        self.levels[last].smooth(COARSEST_SWEEPS, true);
        for level in (0..last).rev() {
            let (fine, coarse) = self.levels.split_at_mut(level + 1);
            fine[level].correct(&coarse[0]);
            fine[level].smooth(SWEEPS, false);
        }
    }
}

/// Solves for the right side `f` until what is left is `tolerance` of it; also says in how many rounds.
pub(crate) fn solve(equations: Equations, f: Vec<f32>, tolerance: f32) -> (Vec<f32>, usize) {
    let mut cycle = Cycle::new(equations);
    let mut u = vec![0.0; f.len()];
    let goal = dot(&f, &f) * tolerance * tolerance;
    let mut rest = f;
    let mut direction = vec![0.0; rest.len()];
    let mut product = vec![0.0; rest.len()];
    let mut before = 0.0;
    for round in 0..MOST_ROUNDS {
        if dot(&rest, &rest) <= goal {
            return (u, round);
        }
        cycle.levels[0].f.copy_from_slice(&rest);
        cycle.run();
        let better = &cycle.levels[0].x;
        let now = dot(&rest, better);
        let keep = if round == 0 { 0.0 } else { now / before };
        before = now;
        for (direction, better) in direction.iter_mut().zip(better) {
            *direction = better + keep * *direction;
        }
        cycle.levels[0].equations.apply(&direction, &mut product);
        let step = now / dot(&direction, &product);
        if !step.is_finite() {
            return (u, round);
        }
        for cell in 0..u.len() {
            u[cell] += step * direction[cell];
            rest[cell] -= step * product[cell];
        }
    }
    (u, MOST_ROUNDS)
}

/// Eight sums side by side: quick, precise enough, and always in the same order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_blocks
        .remainder()
        .iter()
        .zip(b_blocks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}
