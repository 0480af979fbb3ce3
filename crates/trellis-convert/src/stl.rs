//! Binary STL: 80 bytes of text, the number of triangles, then for each its normal, its corners and two empty bytes, all
//! little-endian.
//!
//! The format names neither axes nor a unit; slicers and CAD take Z for up and a unit for a millimetre.

use crate::Mesh;

const HEADER: usize = 80;
const TRIANGLE: usize = 50;

pub(crate) fn write(mesh: &Mesh, size_mm: f64, about: &str) -> Vec<u8> {
    let places = placed(mesh, size_mm);
    let mut out = Vec::with_capacity(HEADER + 4 + TRIANGLE * mesh.triangles.len());
    // A text that begins with `solid` would make readers take it for the other kind of STL.
    out.extend_from_slice(format!("trellis: {about}; Z up, mm").as_bytes());
    out.resize(HEADER, b' ');
    let count = u32::try_from(mesh.triangles.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    for corners in &mesh.triangles {
        let corners = corners.map(|vertex| places[vertex as usize]);
        for value in normal(corners).into_iter().chain(corners.into_iter().flatten()) {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&[0, 0]);
    }
    out
}

/// The places with Z up, in millimetres.
#[expect(clippy::cast_possible_truncation, reason = "an STL has no more than 32 bits")]
fn placed(mesh: &Mesh, size_mm: f64) -> Vec<[f32; 3]> {
    let side = |axis: usize| {
        let values = mesh.vertices.iter().map(|place| f64::from(place[axis]));
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        high - low
    };
    let longest = (0..3).map(side).fold(0.0, f64::max);
    let scale = if longest > 0.0 { size_mm / longest } else { 1.0 };
    let turned = mesh.vertices.iter().map(|[x, y, z]| [*x, -*z, *y]);
    turned
        .map(|place| place.map(|value| (f64::from(value) * scale) as f32))
        .collect()
}

/// Of length 1; of a triangle without an area none.
#[expect(clippy::cast_possible_truncation, reason = "an STL has no more than 32 bits")]
fn normal([from, second, third]: [[f32; 3]; 3]) -> [f32; 3] {
    let along = |to: [f32; 3]| [0, 1, 2].map(|axis| f64::from(to[axis]) - f64::from(from[axis]));
    let (u, v) = (along(second), along(third));
    let cross = [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ];
    let length = cross.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > 0.0 {
        cross.map(|value| (value / length) as f32)
    } else {
        [0.0; 3]
    }
}
