//! What is asked of every mesh, whatever its format.

use trellis_core::MeshFormat;

use crate::{Mesh, MeshError};

/// The most parts of a mesh: empty ones take time and memory too.
pub(crate) const MOST_PARTS: usize = 100_000;

/// How large a mesh may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Triangles.
    pub triangles: usize,
}

impl Default for Limits {
    /// Four times what TRELLIS.2 makes at most, and far below the 2²⁴ that a rasteriser takes.
    fn default() -> Self {
        Self { triangles: 4_000_000 }
    }
}

impl Limits {
    /// Vertices: no triangle has more than three of its own.
    pub(crate) fn vertices(self) -> usize {
        self.triangles.saturating_mul(3)
    }

    /// Refuses more than the limit. Readers ask while they read, so that no more memory is taken.
    pub(crate) fn allow(self, vertices: usize, triangles: usize) -> Result<(), MeshError> {
        let (what, limit) = if triangles > self.triangles {
            ("triangles", self.triangles)
        } else if vertices > self.vertices() {
            ("vertices", self.vertices())
        } else {
            return Ok(());
        };
        Err(MeshError::TooLarge { what, limit })
    }
}

/// Places are numbers, triangles have vertices that exist, and there is something to see.
pub(crate) fn check(format: MeshFormat, mesh: &Mesh, limits: Limits) -> Result<(), MeshError> {
    let damaged = |why| Err(MeshError::Damaged { format, why });
    limits.allow(mesh.vertices.len(), mesh.triangles.len())?;
    if mesh.triangles.is_empty() {
        return Err(MeshError::Empty {
            why: "has no triangles",
        });
    }
    let count = mesh.vertices.len();
    if mesh
        .triangles
        .iter()
        .flatten()
        .any(|vertex| *vertex as usize >= count)
    {
        return damaged("a triangle refers to a vertex that does not exist");
    }
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    if !finite(mesh.vertices.as_flattened()) {
        return damaged("a vertex has a coordinate that is not a number");
    }
    if !finite(mesh.normals.as_flattened()) || !finite(mesh.uvs.as_flattened()) {
        return damaged("a normal or a texture coordinate is not a number");
    }
    let size = extent(&mesh.vertices);
    if !size.is_finite() {
        return damaged("its vertices are too far apart");
    }
    let has_area = |corners: &[u32; 3]| {
        let [first, second, third] = corners.map(|vertex| mesh.vertices[vertex as usize].map(f64::from));
        let along = |to: [f64; 3]| [0, 1, 2].map(|axis| to[axis] - first[axis]);
        let (one, other) = (along(second), along(third));
        let across = |i: usize, j: usize| one[i] * other[j] - one[j] * other[i];
        [across(1, 2), across(2, 0), across(0, 1)]
            .iter()
            .any(|value| value.abs() > 0.0)
    };
    if size <= 0.0 || !mesh.triangles.iter().any(has_area) {
        return Err(MeshError::Empty {
            why: "has no surface: all its triangles are lines or points",
        });
    }
    Ok(())
}

/// The longest side of the box around them.
fn extent(vertices: &[[f32; 3]]) -> f32 {
    let axis = |axis: usize| {
        let values = || vertices.iter().map(|vertex| vertex[axis]);
        values().fold(f32::MIN, f32::max) - values().fold(f32::MAX, f32::min)
    };
    axis(0).max(axis(1)).max(axis(2))
}
