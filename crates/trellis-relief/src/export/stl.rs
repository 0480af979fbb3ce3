//! Binary STL: 80 bytes of text, the number of triangles, then for each its normal, its corners and two
//! empty bytes, all little-endian.
//!
//! The format names neither axes nor a unit; slicers and CAD take Z for up and a unit for a millimetre. So the
//! GLB's Y becomes Z, and the longest side is as long as it is asked to be. Up is TRELLIS's own Z, too.

use crate::DESCRIPTION;
use crate::solid::Solid;

const HEADER: usize = 80;
const TRIANGLE: usize = 50;

/// `size_mm` is the longest side of the box around it.
pub(crate) fn stl(solid: &Solid, size_mm: f64) -> Vec<u8> {
    let places = placed(solid, size_mm);
    let mut out = Vec::with_capacity(HEADER + 4 + TRIANGLE * solid.triangles.len());
    // A text starting with "solid" would make readers take it for the other kind of STL.
    out.extend_from_slice(format!("relief: {DESCRIPTION}; Z up, mm").as_bytes());
    out.resize(HEADER, b' ');
    out.extend_from_slice(&(solid.triangles.len() as u32).to_le_bytes());
    for corners in &solid.triangles {
        let [a, b, c] = corners.map(|vertex| places[vertex as usize]);
        for point in [normal(a, b, c), a, b, c] {
            for value in point {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        out.extend_from_slice(&[0, 0]);
    }
    out
}

/// The positions with Z up, in millimetres.
fn placed(solid: &Solid, size_mm: f64) -> Vec<[f32; 3]> {
    let side = |axis: usize| {
        let values = solid.positions.iter().map(|position| f64::from(position[axis]));
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        high - low
    };
    let longest = (0..3).map(side).fold(0.0, f64::max);
    // A solid has an extent; of a single point nothing would be left to scale.
    let scale = if longest > 0.0 { size_mm / longest } else { 1.0 };
    let scaled = |value: f32| (f64::from(value) * scale) as f32;
    let turned = solid.positions.iter().map(|[x, y, z]| [*x, -*z, *y]);
    turned.map(|position| position.map(scaled)).collect()
}

fn normal(a: [f32; 3], b: [f32; 3], c: [f32; 3]) -> [f32; 3] {
    let along = |to: [f32; 3]| [0, 1, 2].map(|axis| f64::from(to[axis]) - f64::from(a[axis]));
    let (u, v) = (along(b), along(c));
    let cross = [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ];
    let length = cross.iter().map(|value| value * value).sum::<f64>().sqrt();
    cross.map(|value| {
        if length > 0.0 {
            (value / length) as f32
        } else {
            0.0
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_triangle_is_134_bytes() {
        let solid = Solid {
            positions: vec![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            normals: vec![[0.0, 0.0, 1.0]; 3],
            uvs: vec![[0.0; 2]; 3],
            triangles: vec![[0, 1, 2]],
        };
        let bytes = stl(&solid, 25.0);
        assert_eq!(bytes.len(), 134);
        assert!(!bytes.starts_with(b"solid"));
        assert_eq!(&bytes[80..84], [1, 0, 0, 0]);
        let number = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let point = |at: usize| [number(at), number(at + 4), number(at + 8)];
        // The normal, which was the GLB's Z and points to the front; then the corners.
        assert_eq!(
            [84, 96, 108, 120].map(point),
            [
                [0.0, -1.0, 0.0],
                [0.0, 0.0, 0.0],
                [25.0, 0.0, 0.0],
                [0.0, 0.0, 25.0]
            ]
        );
    }
}
