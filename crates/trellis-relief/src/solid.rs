//! Closes the sheet to a solid: the front, the same mirrored as the back, one set of vertices on the rim.

use crate::sheet::Sheet;
use crate::topology::{Defect, Topology};

/// How thick the solid is, relative to a full balloon (a disc would become a ball).
const DEPTH: f32 = 0.6;

/// A closed mesh in the unit cube around the origin: x right, y up, z towards who looks at the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Solid {
    /// From −½ to ½.
    pub positions: Vec<[f32; 3]>,
    /// Of length 1, outwards.
    pub normals: Vec<[f32; 3]>,
    /// From 0, 0 at the texture's upper left to 1, 1 at its lower right.
    pub uvs: Vec<[f32; 2]>,
    /// Counter-clockwise as seen from outside.
    pub triangles: Vec<[u32; 3]>,
}

impl Solid {
    /// What the mesh's topology is, or what is wrong with it.
    pub fn topology(&self) -> Result<Topology, Defect> {
        Topology::of(&self.positions, &self.triangles)
    }
}

/// Closes a sheet over a grid of `columns × rows` cells, whose window the texture covers.
pub(crate) fn close(mut sheet: Sheet, columns: usize, rows: usize) -> Solid {
    split_chords(&mut sheet);
    let count = sheet.positions.len();
    let mut solid = Solid {
        positions: Vec::with_capacity(2 * count),
        normals: Vec::with_capacity(2 * count),
        uvs: Vec::with_capacity(2 * count),
        triangles: Vec::with_capacity(2 * sheet.triangles.len()),
    };
    let fit = Fit::of(&sheet);
    let mut back = vec![0; count];
    for side in [1.0, -1.0] {
        for vertex in 0..count {
            if side < 0.0 {
                back[vertex] = if sheet.rim[vertex] {
                    vertex as u32
                } else {
                    solid.positions.len() as u32
                };
                if sheet.rim[vertex] {
                    continue;
                }
            }
            let [x, y, z] = sheet.positions[vertex];
            solid.positions.push(fit.place([x, y, side * z]));
            solid.normals.push(normal(sheet.gradients[vertex], side * z));
            solid
                .uvs
                .push([(x + 0.5) / columns as f32, (y + 0.5) / rows as f32]);
        }
    }
    solid.triangles.extend(&sheet.triangles);
    let mirrored = sheet
        .triangles
        .iter()
        .map(|[a, b, c]| [*a, *c, *b].map(|vertex| back[vertex as usize]));
    solid.triangles.extend(mirrored);
    solid
}

/// Where sheet positions lie in the unit cube.
struct Fit {
    middle: [f32; 2],
    scale: f32,
}

impl Fit {
    fn of(sheet: &Sheet) -> Self {
        let range = |axis: usize| {
            let values = sheet.positions.iter().map(|position| position[axis]);
            values.fold((f32::MAX, f32::MIN), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let (x, y, z) = (range(0), range(1), range(2));
        let longest = (x.1 - x.0).max(y.1 - y.0).max(2.0 * DEPTH * z.1);
        Self {
            middle: [f32::midpoint(x.0, x.1), f32::midpoint(y.0, y.1)],
            scale: 1.0 / longest,
        }
    }

    fn place(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        [
            (x - self.middle[0]) * self.scale,
            (self.middle[1] - y) * self.scale,
            z * DEPTH * self.scale,
        ]
    }
}

/// The direction in which `z² − DEPTH² u(x, y)` grows: out of the solid, rows running down.
fn normal(gradient: [f32; 2], height: f32) -> [f32; 3] {
    let out = [-gradient[0] * DEPTH, gradient[1] * DEPTH, 2.0 * height];
    let length = out.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > f32::MIN_POSITIVE {
        return out.map(|value| value / length);
    }
    [0.0, 0.0, if height < 0.0 { -1.0 } else { 1.0 }]
}

/// Splits every inner edge from rim to rim: front and back would share it, and meet in it.
fn split_chords(sheet: &mut Sheet) {
    let mut edges: Vec<(u32, u32)> = Vec::new();
    for [a, b, c] in sheet.triangles.iter().copied() {
        for (from, to) in [(a, b), (b, c), (c, a)] {
            if sheet.rim[from as usize] && sheet.rim[to as usize] {
                edges.push((from.min(to), from.max(to)));
            }
        }
    }
    edges.sort_unstable();
    // An edge of the outline is in one triangle, an inner one in two.
    let chords: Vec<(u32, u32)> = edges
        .windows(2)
        .filter(|two| two[0] == two[1])
        .map(|two| two[0])
        .collect();
    let first = sheet.positions.len() as u32;
    for (a, b) in &chords {
        insert_between(sheet, &[*a, *b]);
    }
    let middle = |from: u32, to: u32| {
        let found = chords.binary_search(&(from.min(to), from.max(to))).ok()?;
        Some(first + found as u32)
    };
    let old = std::mem::take(&mut sheet.triangles);
    for corners in old {
        let mut ring = Vec::with_capacity(6);
        for side in 0..3 {
            let (from, to) = (corners[side], corners[(side + 1) % 3]);
            ring.push(from);
            ring.extend(middle(from, to));
        }
        if ring.len() == 3 && corners.iter().all(|vertex| sheet.rim[*vertex as usize]) {
            // A part that is this one triangle.
            let centre = insert_between(sheet, &corners);
            for side in 0..3 {
                sheet
                    .triangles
                    .push([centre, corners[side], corners[(side + 1) % 3]]);
            }
            continue;
        }
        fan(sheet, &ring);
    }
}

/// Triangulates a triangle with split sides from one of the new vertices, if it has any.
fn fan(sheet: &mut Sheet, ring: &[u32]) {
    let start = ring.len()
        - 1
        - ring
            .iter()
            .rev()
            .position(|vertex| !sheet.rim[*vertex as usize])
            .unwrap_or(0);
    for step in 1..ring.len() - 1 {
        let corner = |offset: usize| ring[(start + offset) % ring.len()];
        sheet.triangles.push([corner(0), corner(step), corner(step + 1)]);
    }
}

/// A new vertex amid some on the rim, as high as a strip as wide as they are apart would be there.
fn insert_between(sheet: &mut Sheet, around: &[u32]) -> u32 {
    let share = 1.0 / around.len() as f32;
    let mut position = [0.0; 3];
    let mut gradient = [0.0; 2];
    for vertex in around {
        let vertex = *vertex as usize;
        (0..2).for_each(|axis| position[axis] += share * sheet.positions[vertex][axis]);
        (0..2).for_each(|axis| gradient[axis] += share * sheet.gradients[vertex][axis]);
    }
    let first = sheet.positions[around[0] as usize];
    let half = (position[0] - first[0]).hypot(position[1] - first[1]);
    position[2] = (half * std::f32::consts::SQRT_2).max(0.01);
    sheet.positions.push(position);
    sheet.gradients.push(gradient);
    sheet.rim.push(false);
    sheet.positions.len() as u32 - 1
}
