//! Binary PLY, little-endian: vertices with normals and colours, and triangles.
//!
//! A GLB has several vertices in one place where its texture has a seam. Colours need no seam, so here each place is one
//! vertex, with the colour of the first and the mean of the normals.

use std::collections::HashMap;

use crate::{Label, Mesh};

pub(crate) fn write(mesh: &Mesh, label: Label<'_>) -> Vec<u8> {
    let joined = Joined::of(mesh);
    let mut out = header(&joined, mesh, label).into_bytes();
    out.reserve(27 * joined.firsts.len() + 13 * mesh.triangles.len());
    for (first, normal) in joined.firsts.iter().zip(&joined.normals) {
        for value in mesh.vertices[*first].iter().chain(normal) {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend(mesh.colours[*first].map(byte));
    }
    for corners in &mesh.triangles {
        out.push(3);
        for vertex in corners {
            out.extend_from_slice(&joined.numbers[*vertex as usize].to_le_bytes());
        }
    }
    out
}

fn header(joined: &Joined, mesh: &Mesh, label: Label<'_>) -> String {
    let mut lines = vec![
        "ply".to_owned(),
        "format binary_little_endian 1.0".to_owned(),
        format!("comment {}", label.about),
        format!("comment {}", label.name),
        format!("element vertex {}", joined.firsts.len()),
    ];
    lines.extend(["x", "y", "z", "nx", "ny", "nz"].map(|name| format!("property float {name}")));
    lines.extend(["red", "green", "blue"].map(|name| format!("property uchar {name}")));
    lines.push(format!("element face {}", mesh.triangles.len()));
    lines.push("property list uchar int vertex_indices".to_owned());
    lines.push("end_header\n".to_owned());
    lines.join("\n")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
fn byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// A mesh's vertices, one for each place.
struct Joined {
    /// The first of the vertices in each place.
    firsts: Vec<usize>,
    normals: Vec<[f32; 3]>,
    /// For each of the mesh's vertices its place.
    numbers: Vec<u32>,
}

impl Joined {
    fn of(mesh: &Mesh) -> Self {
        let mut number_of = HashMap::with_capacity(mesh.vertices.len());
        let mut joined = Self {
            firsts: Vec::new(),
            normals: Vec::new(),
            numbers: Vec::with_capacity(mesh.vertices.len()),
        };
        for (vertex, place) in mesh.vertices.iter().enumerate() {
            // Adding 0 makes one of the two zeros.
            let bits = place.map(|value| (value + 0.0).to_bits());
            let number = *number_of.entry(bits).or_insert_with(|| {
                joined.firsts.push(vertex);
                joined.normals.push([0.0; 3]);
                joined.firsts.len() - 1
            });
            joined.numbers.push(u32::try_from(number).unwrap_or(u32::MAX));
            for (sum, value) in joined.normals[number].iter_mut().zip(mesh.normals[vertex]) {
                *sum += value;
            }
        }
        for (sum, first) in joined.normals.iter_mut().zip(&joined.firsts) {
            let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
            *sum = if length > 1e-3 {
                sum.map(|value| value / length)
            } else {
                // They cancel out: any of them is as good.
                mesh.normals[*first]
            };
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertices_in_one_place_are_one() {
        // Two triangles of a square, each with vertices of its own, as at a seam.
        let mesh = Mesh {
            vertices: vec![
                [0.0, 0.0, 0.0],
                [1.0, 0.0, 0.0],
                [1.0, 1.0, 0.0],
                [-0.0, 0.0, 0.0],
                [1.0, 1.0, 0.0],
                [0.0, 1.0, 0.0],
            ],
            triangles: vec![[0, 1, 2], [3, 4, 5]],
            colours: vec![[1.0, 0.0, 0.0]; 6],
            normals: [vec![[0.0, 0.0, 1.0]; 3], vec![[0.0, 1.0, 0.0]; 3]].concat(),
        };
        let joined = Joined::of(&mesh);
        assert_eq!(joined.firsts, [0, 1, 2, 5]);
        assert_eq!(joined.numbers, [0, 1, 2, 0, 2, 3]);
        let half = 0.5_f32.sqrt();
        assert!((joined.normals[0][1] - half).abs() < 1e-6 && (joined.normals[0][2] - half).abs() < 1e-6);
    }
}
