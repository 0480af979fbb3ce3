//! Closes the sheet to a solid: the front, the same mirrored as the back, and soles where it stands.
//!
//! Front and back have vertices of their own on the rim, at the same places: each has its part of the texture.

use crate::atlas::Atlas;
use crate::inflate::Inflated;
use crate::sheet::Sheet;
use crate::topology::{Defect, Topology, direction, outer_edges};

/// The least height of a vertex amid the rim, in cells.
const LEAST_HEIGHT: f32 = 0.1;

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

/// Closes a sheet; each chart of the atlas covers the whole grid.
pub(crate) fn close(mut sheet: Sheet, inflated: &Inflated, atlas: &Atlas) -> Solid {
    let size = (inflated.height.width, inflated.height.height);
    split_chords(&mut sheet, inflated);
    let mut solid = Solid {
        positions: Vec::with_capacity(2 * sheet.positions.len()),
        normals: Vec::with_capacity(2 * sheet.positions.len()),
        uvs: Vec::with_capacity(2 * sheet.positions.len()),
        triangles: Vec::with_capacity(2 * sheet.triangles.len()),
    };
    let fit = Fit::of(&sheet);
    let back = sheet.positions.len() as u32;
    for (side, chart) in [(1.0, &atlas.front), (-1.0, &atlas.back)] {
        for (position, gradient) in sheet.positions.iter().zip(&sheet.gradients) {
            let [x, y, z] = *position;
            solid.positions.push(fit.place([x, y, side * z]));
            solid.normals.push(normal(*gradient, side * z));
            solid.uvs.push(chart.place(place(*position, size)));
        }
    }
    solid.triangles.extend(&sheet.triangles);
    let mirrored = sheet
        .triangles
        .iter()
        .map(|[a, b, c]| [*a, *c, *b].map(|vertex| back + vertex));
    solid.triangles.extend(mirrored);
    for [from, to] in outer_edges(&sheet.triangles).into_iter().map(direction) {
        let corners = [to, from].map(|vertex| sheet.positions[vertex as usize]);
        if corners.iter().any(|corner| corner[2] > 0.0) {
            sole(&mut solid, &fit, corners, |position| {
                atlas.back.place(place(position, size))
            });
        }
    }
    solid
}

/// A place in the window, from 0 to 1: cell centres lie at whole numbers.
fn place([x, y, _]: [f32; 3], (columns, rows): (usize, usize)) -> [f32; 2] {
    [(x + 0.5) / columns as f32, (y + 0.5) / rows as f32]
}

/// The face between front and back below an edge of the outline; vertices of its own give it a sharp edge.
fn sole(solid: &mut Solid, fit: &Fit, [a, b]: [[f32; 3]; 2], uv: impl Fn([f32; 3]) -> [f32; 2]) {
    let mut ring = vec![a, b];
    // Where the edge has no height front and back meet already.
    ring.extend(
        [b, a]
            .into_iter()
            .filter(|end| end[2] > 0.0)
            .map(|[x, y, z]| [x, y, -z]),
    );
    let [along, up] = [b[0] - a[0], a[1] - b[1]];
    let length = along.hypot(up).max(f32::MIN_POSITIVE);
    let first = solid.positions.len() as u32;
    for corner in &ring {
        solid.positions.push(fit.place(*corner));
        solid.normals.push([-up / length, along / length, 0.0]);
        solid.uvs.push(uv(*corner));
    }
    for corner in 2..ring.len() as u32 {
        solid.triangles.push([first, first + corner - 1, first + corner]);
    }
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
        let longest = (x.1 - x.0).max(y.1 - y.0).max(2.0 * z.1);
        Self {
            middle: [f32::midpoint(x.0, x.1), f32::midpoint(y.0, y.1)],
            scale: 1.0 / longest,
        }
    }

    fn place(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        [
            (x - self.middle[0]) * self.scale,
            (self.middle[1] - y) * self.scale,
            z * self.scale,
        ]
    }
}

/// The direction in which `z² − u(x, y)` grows: out of the solid, rows running down.
fn normal(gradient: [f32; 2], height: f32) -> [f32; 3] {
    let out = [-gradient[0], gradient[1], 2.0 * height];
    let length = out.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > f32::MIN_POSITIVE {
        return out.map(|value| value / length);
    }
    [0.0, 0.0, if height < 0.0 { -1.0 } else { 1.0 }]
}

/// Splits every inner edge between places where front and back meet: they would share it, and meet in it.
fn split_chords(sheet: &mut Sheet, inflated: &Inflated) {
    let mut edges: Vec<(u32, u32)> = Vec::new();
    for [a, b, c] in sheet.triangles.iter().copied() {
        for (from, to) in [(a, b), (b, c), (c, a)] {
            if sheet.is_pinned(from) && sheet.is_pinned(to) {
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
        insert_between(sheet, inflated, &[*a, *b]);
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
        if ring.len() == 3 && corners.iter().all(|vertex| sheet.is_pinned(*vertex)) {
            // A part that is this one triangle.
            let centre = insert_between(sheet, inflated, &corners);
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
            .position(|vertex| !sheet.is_pinned(*vertex))
            .unwrap_or(0);
    for step in 1..ring.len() - 1 {
        let corner = |offset: usize| ring[(start + offset) % ring.len()];
        sheet.triangles.push([corner(0), corner(step), corner(step + 1)]);
    }
}

/// A new vertex amid some on the rim, inflated as the place is, but never flat.
fn insert_between(sheet: &mut Sheet, inflated: &Inflated, around: &[u32]) -> u32 {
    let share = 1.0 / around.len() as f32;
    let mut place = [0.0; 2];
    for vertex in around {
        let position = sheet.positions[*vertex as usize];
        (0..2).for_each(|axis| place[axis] += share * position[axis]);
    }
    let (height, gradient) = inflated.at(place);
    sheet
        .positions
        .push([place[0], place[1], height.max(LEAST_HEIGHT)]);
    sheet.gradients.push(gradient);
    sheet.rim.push(false);
    sheet.positions.len() as u32 - 1
}
