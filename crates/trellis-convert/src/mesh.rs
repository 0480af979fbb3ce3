//! A GLB's triangles as bare lists, with the texture's colour at each vertex.

use image::RgbImage;

use crate::colour::{Surface, srgb};
use crate::scene::Scene;

/// All triangles of a GLB, Y up, in its units.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// Places.
    pub vertices: Vec<[f32; 3]>,
    /// Three vertices each, counter-clockwise seen from outside.
    pub triangles: Vec<[u32; 3]>,
    /// Red, green and blue at each vertex, sRGB, 0 to 1.
    pub colours: Vec<[f32; 3]>,
    /// Directions of length 1 at each vertex.
    pub normals: Vec<[f32; 3]>,
}

impl Mesh {
    pub(crate) fn of(scene: &Scene, textures: &[RgbImage]) -> Self {
        let mut mesh = Self::default();
        for part in &scene.parts {
            let surface = Surface::of(part, scene, textures);
            let first = u32::try_from(mesh.vertices.len()).unwrap_or(u32::MAX);
            let vertices = 0..u32::try_from(part.positions.len()).unwrap_or(u32::MAX);
            let colours = vertices.map(|vertex| surface.colour([vertex; 3], [1.0, 0.0, 0.0]).map(srgb));
            mesh.colours.extend(colours);
            mesh.vertices.extend(&part.positions);
            mesh.normals.extend(&part.normals);
            let triangles = part.triangles.iter();
            mesh.triangles
                .extend(triangles.map(|corners| corners.map(|vertex| first.saturating_add(vertex))));
        }
        mesh
    }
}
