//! Binary PLY, little-endian: vertices with normals and the texture's colours, and triangles.

use std::fmt::Write as _;

use trellis_core::AssetName;

use crate::DESCRIPTION;
use crate::generate::labelled;
use crate::model::Model;

pub(crate) fn ply(model: &Model, name: &AssetName) -> Vec<u8> {
    let solid = &model.solid;
    let mut header = String::from("ply\nformat binary_little_endian 1.0\n");
    let _ = writeln!(
        header,
        "comment relief: {DESCRIPTION}\ncomment {}",
        labelled(name)
    );
    let _ = writeln!(header, "element vertex {}", solid.positions.len());
    for name in ["x", "y", "z", "nx", "ny", "nz"] {
        let _ = writeln!(header, "property float {name}");
    }
    for name in ["red", "green", "blue"] {
        let _ = writeln!(header, "property uchar {name}");
    }
    let _ = writeln!(header, "element face {}", solid.triangles.len());
    header.push_str("property list uchar int vertex_indices\nend_header\n");
    let mut out = header.into_bytes();
    out.reserve(27 * solid.positions.len() + 13 * solid.triangles.len());
    for vertex in 0..solid.positions.len() {
        for value in solid.positions[vertex].iter().chain(&solid.normals[vertex]) {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&model.texture.at(solid.uvs[vertex]));
    }
    for corners in &solid.triangles {
        out.push(3);
        for vertex in corners {
            out.extend_from_slice(&vertex.to_le_bytes());
        }
    }
    out
}
