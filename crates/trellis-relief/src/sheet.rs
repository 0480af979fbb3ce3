//! The front side as a triangulated sheet: the outline's own vertices at its edge, cell centres within.
//!
//! Squares cut by the outline are triangulated by marching squares, whole ones by `quadtree.rs`. All
//! triangles wind counter-clockwise as seen from the front with y up (the grid's rows run down).

use crate::grid::Grid;
use crate::grid::INSIDE;
use crate::inflate::Inflated;
use crate::outline::crossing;
use crate::quadtree;

/// A sheet over the grid.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sheet {
    /// Column and row in cells, and height in cells: above 0 but on the rim, where only soles have a height.
    pub(crate) positions: Vec<[f32; 3]>,
    /// The gradient of the squared height, for normals.
    pub(crate) gradients: Vec<[f32; 2]>,
    /// Whether the vertex lies on the outline.
    pub(crate) rim: Vec<bool>,
    pub(crate) triangles: Vec<[u32; 3]>,
}

impl Sheet {
    /// Whether front and back meet in this vertex.
    pub(crate) fn is_pinned(&self, vertex: u32) -> bool {
        self.rim[vertex as usize] && self.positions[vertex as usize][2] <= 0.0
    }
}

/// The corners of a square, columns to the right and rows down: counter-clockwise as seen.
const CORNERS: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 1), (1, 0)];

struct Builder<'a> {
    coverage: &'a Grid<f32>,
    inflated: &'a Inflated,
    sheet: Sheet,
    /// Vertex of each cell centre; `u32::MAX` while it has none.
    centres: Vec<u32>,
    /// Vertex on the line from each cell to the one at its right, and to the one below.
    crossings: [Vec<u32>; 2],
}

const NONE: u32 = u32::MAX;
/// Rounds of averaging with both neighbours on the outline.
const RIM_PASSES: usize = 3;

/// Triangulates the front; squares are joined up to `coarsest` levels away from the outline.
pub(crate) fn sheet(coverage: &Grid<f32>, inflated: &Inflated, coarsest: usize) -> Sheet {
    let cells = coverage.values.len();
    let inside = coverage.map(|coverage| coverage >= INSIDE);
    let levels = quadtree::levels(&inside, coarsest);
    let mut builder = Builder {
        coverage,
        inflated,
        sheet: Sheet::default(),
        centres: vec![NONE; cells],
        crossings: [vec![NONE; cells], vec![NONE; cells]],
    };
    for y in 0..levels.height {
        for x in 0..levels.width {
            match levels.at(x, y) {
                None => builder.cut_square(x, y),
                Some(level) if x % (1 << level) == 0 && y % (1 << level) == 0 => {
                    builder.whole_square(x, y, level, &levels);
                }
                Some(_) => {}
            }
        }
    }
    smooth_rim(&mut builder.sheet);
    builder.sheet
}

/// Takes the gradients along the outline from its own direction, evened out: a single cell's is rough there.
fn smooth_rim(sheet: &mut Sheet) {
    let mut before = vec![NONE; sheet.positions.len()];
    let mut after = before.clone();
    for [a, b, c] in &sheet.triangles {
        for (from, to) in [(*a, *b), (*b, *c), (*c, *a)] {
            // The triangulation has no inner edge from rim to rim.
            if sheet.rim[from as usize] && sheet.rim[to as usize] {
                after[from as usize] = to;
                before[to as usize] = from;
            }
        }
    }
    for vertex in 0..before.len() as u32 {
        if !sheet.is_pinned(vertex) {
            continue;
        }
        let [from, to] = [before[vertex as usize], after[vertex as usize]];
        let [from, to] = [before[from as usize], after[to as usize]].map(|end| sheet.positions[end as usize]);
        // The object lies to the left, rows running down.
        sheet.gradients[vertex as usize] = [to[1] - from[1], from[0] - to[0]];
    }
    for _ in 0..RIM_PASSES {
        let old = sheet.gradients.clone();
        for vertex in (0..old.len()).filter(|vertex| sheet.rim[*vertex]) {
            let (before, after) = (old[before[vertex] as usize], old[after[vertex] as usize]);
            sheet.gradients[vertex] =
                [0, 1].map(|axis| (before[axis] + 2.0 * old[vertex][axis] + after[axis]) / 4.0);
        }
    }
}

impl Builder<'_> {
    fn centre(&mut self, x: usize, y: usize) -> u32 {
        let cell = y * self.coverage.width + x;
        if self.centres[cell] == NONE {
            self.centres[cell] = self.sheet.positions.len() as u32;
            let height = self.inflated.height.values[cell];
            self.sheet.positions.push([x as f32, y as f32, height]);
            self.sheet.gradients.push(self.inflated.gradient.values[cell]);
            self.sheet.rim.push(false);
        }
        self.centres[cell]
    }

    /// The rim vertex between two neighbouring cells, one inside and one outside.
    fn crossing(&mut self, a: (usize, usize), b: (usize, usize)) -> u32 {
        let (first, second) = if a < b { (a, b) } else { (b, a) };
        let down = usize::from(second.1 > first.1);
        let at = first.1 * self.coverage.width + first.0;
        if self.crossings[down][at] == NONE {
            let value = |(x, y): (usize, usize)| self.coverage.at(x, y);
            let (from, to) = if value(a) >= INSIDE { (a, b) } else { (b, a) };
            let t = crossing(value(from), value(to));
            let along = |from: usize, to: usize| from as f32 + t * (to as f32 - from as f32);
            let sole = to.1 > from.1 && self.inflated.soles.at(from.0, from.1);
            let height = if sole {
                self.inflated.height.at(from.0, from.1)
            } else {
                0.0
            };
            self.crossings[down][at] = self.sheet.positions.len() as u32;
            self.sheet
                .positions
                .push([along(from.0, to.0), along(from.1, to.1), height]);
            self.sheet
                .gradients
                .push(self.inflated.gradient.at(from.0, from.1));
            self.sheet.rim.push(true);
        }
        self.crossings[down][at]
    }

    /// Marching squares: the polygons of the inside part of one square.
    fn cut_square(&mut self, x: usize, y: usize) {
        let corners = CORNERS.map(|(across, down)| (x + across, y + down));
        let inside = corners.map(|(x, y)| self.coverage.at(x, y) >= INSIDE);
        let mut polygon = Vec::with_capacity(6);
        for corner in 0..4 {
            let next = (corner + 1) % 4;
            if inside[corner] {
                polygon.push(self.centre(corners[corner].0, corners[corner].1));
            }
            if inside[corner] != inside[next] {
                polygon.push(self.crossing(corners[corner], corners[next]));
            }
        }
        // Two opposite corners alone are joined: a slanted line one cell thin stays in one piece. The
        // polygon then starts with a corner or with the crossing before it; a fan from a corner leaves
        // no edge from rim to rim.
        let Some(start) = (0..polygon.len()).find(|at| !self.sheet.rim[polygon[*at] as usize]) else {
            return;
        };
        polygon.rotate_left(start);
        for pair in polygon[1..].windows(2) {
            self.sheet.triangles.push([polygon[0], pair[0], pair[1]]);
        }
    }

    /// Two triangles, or a fan around the middle where a neighbour is finer.
    fn whole_square(&mut self, x: usize, y: usize, level: usize, levels: &Grid<Option<usize>>) {
        let size = 1_usize << level;
        let half = size / 2;
        let corners = CORNERS.map(|(across, down)| (x + across * size, y + down * size));
        let finer = |x: isize, y: isize| levels.get_or(x, y, None).is_none_or(|other| other < level);
        let (left, top) = (x as isize, y as isize);
        let beyond = size as isize;
        let split = [
            finer(left - 1, top),
            finer(left, top + beyond),
            finer(left + beyond, top),
            finer(left, top - 1),
        ];
        if level == 0 || split == [false; 4] {
            let ring = corners.map(|(x, y)| self.centre(x, y));
            // Alternating diagonals: no direction is preferred.
            let first = ((x >> level) + (y >> level)) % 2;
            let at = |offset: usize| ring[(first + offset) % 4];
            self.sheet.triangles.push([at(0), at(1), at(2)]);
            self.sheet.triangles.push([at(0), at(2), at(3)]);
            return;
        }
        let mut ring = Vec::with_capacity(8);
        for side in 0..4 {
            let (from, to) = (corners[side], corners[(side + 1) % 4]);
            ring.push(self.centre(from.0, from.1));
            if split[side] {
                ring.push(self.centre(usize::midpoint(from.0, to.0), usize::midpoint(from.1, to.1)));
            }
        }
        let middle = self.centre(x + half, y + half);
        for side in 0..ring.len() {
            self.sheet
                .triangles
                .push([middle, ring[side], ring[(side + 1) % ring.len()]]);
        }
    }
}
