//! Binary STL: 80 bytes of text, the number of triangles, then for each its normal, its corners and two
//! empty bytes, all little-endian. Axes and size are the GLB's.

use crate::DESCRIPTION;
use crate::solid::Solid;

const HEADER: usize = 80;
const TRIANGLE: usize = 50;

pub(crate) fn stl(solid: &Solid) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + 4 + TRIANGLE * solid.triangles.len());
    // A text starting with "solid" would make readers take it for the other kind of STL.
    out.extend_from_slice(format!("relief: {DESCRIPTION}").as_bytes());
    out.resize(HEADER, b' ');
    out.extend_from_slice(&(solid.triangles.len() as u32).to_le_bytes());
    for corners in &solid.triangles {
        let [a, b, c] = corners.map(|vertex| solid.positions[vertex as usize]);
        for point in [normal(a, b, c), a, b, c] {
            for value in point {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        out.extend_from_slice(&[0, 0]);
    }
    out
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
        let bytes = stl(&solid);
        assert_eq!(bytes.len(), 134);
        assert!(!bytes.starts_with(b"solid"));
        assert_eq!(&bytes[80..84], [1, 0, 0, 0]);
        assert_eq!(&bytes[92..96], 1.0_f32.to_le_bytes());
    }
}
