//! Binary PLY, little-endian: vertices with normals and the texture's colours, where there is one, and triangles.
//!
//! The solid has several vertices in one place where the texture has a seam or the sole an edge. Colours need no
//! seam, so here each place is one vertex: a program that goes by indices, as most do, finds the mesh closed.

use std::fmt::Write as _;

use trellis_core::AssetName;

use crate::DESCRIPTION;
use crate::generate::labelled;
use crate::model::Model;
use crate::solid::Solid;
use crate::topology::weld;

pub(crate) fn ply(model: &Model, name: &AssetName) -> Vec<u8> {
    let solid = &model.solid;
    let joined = Joined::of(solid);
    let mut header = String::from("ply\nformat binary_little_endian 1.0\n");
    let _ = writeln!(
        header,
        "comment relief: {DESCRIPTION}\ncomment {}",
        labelled(name)
    );
    let _ = writeln!(header, "element vertex {}", joined.firsts.len());
    for name in ["x", "y", "z", "nx", "ny", "nz"] {
        let _ = writeln!(header, "property float {name}");
    }
    if model.texture.is_some() {
        for name in ["red", "green", "blue"] {
            let _ = writeln!(header, "property uchar {name}");
        }
    }
    let _ = writeln!(header, "element face {}", solid.triangles.len());
    header.push_str("property list uchar int vertex_indices\nend_header\n");
    let mut out = header.into_bytes();
    out.reserve(27 * joined.firsts.len() + 13 * solid.triangles.len());
    for (first, normal) in joined.firsts.iter().zip(&joined.normals) {
        for value in solid.positions[*first].iter().chain(normal) {
            out.extend_from_slice(&value.to_le_bytes());
        }
        if let Some(texture) = &model.texture {
            out.extend_from_slice(&texture.at(solid.uvs[*first]));
        }
    }
    for corners in &solid.triangles {
        out.push(3);
        for vertex in corners {
            out.extend_from_slice(&joined.numbers[*vertex as usize].to_le_bytes());
        }
    }
    out
}

/// A solid's vertices, one for each place.
struct Joined {
    /// The first of the solid's vertices in each place. The front's come before all others, so where front and back
    /// meet the colour is the front's: it is the one that the picture shows, and the back's is near it.
    firsts: Vec<usize>,
    /// The mean of the normals in each place: an edge of the sole is rounded by it.
    normals: Vec<[f32; 3]>,
    /// For each of the solid's vertices its place.
    numbers: Vec<u32>,
}

impl Joined {
    fn of(solid: &Solid) -> Self {
        const NONE: u32 = u32::MAX;
        let (place_of, places) = weld(&solid.positions);
        let mut number_of = vec![NONE; places.len()];
        let mut joined = Self {
            firsts: Vec::with_capacity(places.len()),
            normals: Vec::with_capacity(places.len()),
            numbers: Vec::with_capacity(place_of.len()),
        };
        for (vertex, place) in place_of.iter().enumerate() {
            let number = &mut number_of[*place as usize];
            if *number == NONE {
                *number = joined.firsts.len() as u32;
                joined.firsts.push(vertex);
                joined.normals.push([0.0; 3]);
            }
            joined.numbers.push(*number);
            let sum = &mut joined.normals[*number as usize];
            *sum = [0, 1, 2].map(|axis| sum[axis] + solid.normals[vertex][axis]);
        }
        for (sum, first) in joined.normals.iter_mut().zip(&joined.firsts) {
            let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
            *sum = if length > 1e-3 {
                sum.map(|value| value / length)
            } else {
                // They cancel out: any of them is as good.
                solid.normals[*first]
            };
        }
        joined
    }
}
