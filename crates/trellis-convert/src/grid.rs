//! From triangles to a grid of coloured voxels.
//!
//! Points are taken on every triangle, less than half a voxel apart: two voxels side by side whose centres lie on either
//! side of the surface then have at least one of the points, so that nothing leaks through a closed surface from voxel
//! face to voxel face. What cannot be reached from outside is inside, and has the colour of the surface nearest to it.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a grid has 256 voxels a side at most, and points become the voxels that they are in"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};

use image::RgbImage;

use crate::ConvertError;
use crate::colour::{Surface, srgb};
use crate::palette::{Palette, Rgb};
use crate::scene::Scene;

/// Points along the edge of a voxel.
const POINTS: f32 = 3.0;
/// So many points at most; a mesh whose triangles lie over one another again and again has them further apart.
const MOST_POINTS: f32 = 1e8;

const EMPTY: u8 = 0;

/// Voxels in the axes of the GLB, Y up.
pub(crate) struct Grid {
    /// Along x, y and z.
    pub(crate) size: [usize; 3],
    /// x varies first, then y. 0: nothing; otherwise the number of a colour, from 1.
    pub(crate) cells: Vec<u8>,
    /// At most 255.
    pub(crate) colours: Vec<Rgb>,
}

/// Fills a grid of `resolution` voxels along the longest side of what the scene shows.
pub(crate) fn fill(scene: &Scene, textures: &[RgbImage], resolution: u32) -> Result<Grid, ConvertError> {
    let space = Space::of(scene, resolution)?;
    let surface = space.surface(scene, textures);
    let palette = Palette::of(&surface.values().copied().collect::<Vec<_>>());
    let mut grid = Grid {
        size: space.size,
        cells: vec![EMPTY; space.size.iter().product()],
        colours: palette.colours.clone(),
    };
    for (cell, colour) in &surface {
        grid.cells[*cell] = palette.number(*colour);
    }
    grid.fill_inside(surface.into_keys().collect());
    Ok(grid)
}

/// Where the voxels are.
struct Space {
    origin: [f32; 3],
    /// The edge of a voxel.
    edge: f32,
    size: [usize; 3],
}

impl Space {
    fn of(scene: &Scene, resolution: u32) -> Result<Self, ConvertError> {
        let mut least = [f32::INFINITY; 3];
        let mut most = [f32::NEG_INFINITY; 3];
        for part in &scene.parts {
            for vertex in part.triangles.iter().flatten() {
                let point = part.positions[*vertex as usize];
                for axis in 0..3 {
                    least[axis] = least[axis].min(point[axis]);
                    most[axis] = most[axis].max(point[axis]);
                }
            }
        }
        let extent: [f32; 3] = std::array::from_fn(|axis| most[axis] - least[axis]);
        let edge = extent.iter().fold(0.0_f32, |longest, side| longest.max(*side)) / resolution as f32;
        if !edge.is_normal() {
            return Err(ConvertError::Empty);
        }
        let size = extent.map(|side| ((side / edge).ceil() as usize).clamp(1, resolution as usize));
        Ok(Self {
            origin: least,
            edge,
            size,
        })
    }

    fn cell(&self, point: [f32; 3]) -> usize {
        let [x, y, z]: [usize; 3] =
            std::array::from_fn(|axis| (point[axis].max(0.0) as usize).min(self.size[axis] - 1));
        x + self.size[0] * (y + self.size[1] * z)
    }

    /// The voxels that the surface passes through, each with the mean of its colours.
    fn surface(&self, scene: &Scene, textures: &[RgbImage]) -> BTreeMap<usize, Rgb> {
        let corners = |part: &crate::scene::Part, triangle: [u32; 3]| {
            triangle.map(|vertex| {
                let point = part.positions[vertex as usize];
                std::array::from_fn(|axis| (point[axis] - self.origin[axis]) / self.edge)
            })
        };
        let triangles = || {
            scene
                .parts
                .iter()
                .flat_map(|part| part.triangles.iter().map(move |triangle| (part, *triangle)))
        };
        let points: f32 = triangles()
            .map(|(part, triangle)| (longest(corners(part, triangle)) * POINTS).ceil().powi(2))
            .sum();
        let apart = (points / MOST_POINTS).sqrt().max(1.0);
        let mut sums: HashMap<usize, [f32; 4]> = HashMap::new();
        for part in &scene.parts {
            let surface = Surface::of(part, scene, textures);
            for triangle in &part.triangles {
                let corners = corners(part, *triangle);
                let steps = (longest(corners) * POINTS / apart).ceil().max(1.0);
                // A sliver without area still has a colour.
                let weight = (area(corners) / (steps * steps)).max(f32::MIN_POSITIVE);
                // Points that follow each other are mostly in one voxel.
                let (mut last, mut sum) = (usize::MAX, [0.0; 4]);
                for weights in within(steps as u32) {
                    let point = std::array::from_fn(|axis| {
                        (0..3).map(|corner| corners[corner][axis] * weights[corner]).sum()
                    });
                    let cell = self.cell(point);
                    if cell != last {
                        add(&mut sums, last, std::mem::take(&mut sum));
                        last = cell;
                    }
                    let [red, green, blue] = surface.colour(*triangle, weights);
                    for (total, value) in sum.iter_mut().zip([red, green, blue, 1.0]) {
                        *total += value * weight;
                    }
                }
                add(&mut sums, last, sum);
            }
        }
        let mean = |[red, green, blue, weight]: [f32; 4]| {
            [red, green, blue].map(|sum| (srgb(sum / weight) * 255.0).round() as u8)
        };
        sums.into_iter().map(|(cell, sum)| (cell, mean(sum))).collect()
    }
}

impl Grid {
    /// Colours what cannot be reached from outside, from the surface inwards.
    fn fill_inside(&mut self, surface: Vec<usize>) {
        let mut outside = vec![false; self.cells.len()];
        let mut open: VecDeque<usize> = (0..self.cells.len())
            .filter(|cell| self.cells[*cell] == EMPTY && self.is_at_the_edge(*cell))
            .collect();
        for cell in &open {
            outside[*cell] = true;
        }
        while let Some(cell) = open.pop_front() {
            for next in self.neighbours(cell) {
                if self.cells[next] == EMPTY && !outside[next] {
                    outside[next] = true;
                    open.push_back(next);
                }
            }
        }
        open.extend(surface);
        while let Some(cell) = open.pop_front() {
            for next in self.neighbours(cell) {
                if self.cells[next] == EMPTY && !outside[next] {
                    self.cells[next] = self.cells[cell];
                    open.push_back(next);
                }
            }
        }
    }

    /// Column, row and layer of a voxel.
    pub(crate) fn place(&self, cell: usize) -> [usize; 3] {
        let [width, height, _] = self.size;
        [cell % width, cell / width % height, cell / width / height]
    }

    fn is_at_the_edge(&self, cell: usize) -> bool {
        let place = self.place(cell);
        (0..3).any(|axis| place[axis] == 0 || place[axis] + 1 == self.size[axis])
    }

    /// The voxels that share a face with it.
    fn neighbours(&self, cell: usize) -> impl Iterator<Item = usize> + use<> {
        let place = self.place(cell);
        let [width, height, _] = self.size;
        let steps = [1, width, width * height];
        let size = self.size;
        (0..3).flat_map(move |axis| {
            let before = (place[axis] > 0).then(|| cell - steps[axis]);
            let after = (place[axis] + 1 < size[axis]).then(|| cell + steps[axis]);
            before.into_iter().chain(after)
        })
    }
}

/// The corners' weights at the middle of each of `steps`² equal parts of a triangle.
fn within(steps: u32) -> impl Iterator<Item = [f32; 3]> {
    let share = move |row: u32, column: u32, third: f32| {
        let first = (row as f32 + third) / steps as f32;
        let second = (column as f32 + third) / steps as f32;
        [first, second, 1.0 - first - second]
    };
    (0..steps).flat_map(move |row| {
        (0..steps - row).flat_map(move |column| {
            let upright = share(row, column, 1.0 / 3.0);
            let turned = (row + column + 1 < steps).then(|| share(row, column, 2.0 / 3.0));
            std::iter::once(upright).chain(turned)
        })
    })
}

fn add(sums: &mut HashMap<usize, [f32; 4]>, cell: usize, sum: [f32; 4]) {
    if cell != usize::MAX {
        let total = sums.entry(cell).or_default();
        for (total, value) in total.iter_mut().zip(sum) {
            *total += value;
        }
    }
}

fn longest(corners: [[f32; 3]; 3]) -> f32 {
    let edges = [(0, 1), (1, 2), (2, 0)];
    edges
        .map(|(from, to)| length(difference(corners[to], corners[from])))
        .into_iter()
        .fold(0.0, f32::max)
}

fn area([first, second, third]: [[f32; 3]; 3]) -> f32 {
    let (u, v) = (difference(second, first), difference(third, first));
    length([
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]) / 2.0
}

fn difference(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn length(vector: [f32; 3]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}
