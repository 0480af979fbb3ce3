//! Bare meshes, STL and PLY; and what no conversion is made of.

use serde_json::json;
use trellis_convert::{mesh, obj, ply, stl, voxels};

use crate::glbs::{LABEL, cube, glb, with};

#[test]
fn a_damaged_glb_is_an_error() {
    let whole = glb(image::ImageFormat::Png, true);
    for length in 0..whole.len() {
        let _ = obj(&whole[..length], LABEL).unwrap_err();
        let _ = voxels(&whole[..length], 16, LABEL).unwrap_err();
        let _ = mesh(&whole[..length]).unwrap_err();
    }
}

#[test]
fn triangles_and_normals_face_the_same_side_under_any_scale() {
    let tilted = json!({ "mesh": 0, "rotation": [0.382_683_43, 0.0, 0.0, 0.923_879_5] });
    for scale in [
        [1.0, 1.0, 1.0],
        [1.0, 5.0, 1.0],
        [-1.0, 1.0, 1.0],
        [2.0, -1.0, 7.0],
    ] {
        for with_normals in [true, false] {
            let whole = glb(image::ImageFormat::Png, with_normals);
            let whole = with(&whole, "/nodes/0", json!({ "children": [1], "scale": scale }));
            let found = mesh(&with(&whole, "/nodes/1", tilted.clone())).unwrap();
            for corners in &found.triangles {
                let [first, second, third] = corners.map(|vertex| found.vertices[vertex as usize]);
                let along = |to: [f32; 3]| [0, 1, 2].map(|axis| to[axis] - first[axis]);
                let (u, v) = (along(second), along(third));
                let facing = [
                    u[1] * v[2] - u[2] * v[1],
                    u[2] * v[0] - u[0] * v[2],
                    u[0] * v[1] - u[1] * v[0],
                ];
                let dot = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                let cosine = dot(facing, found.normals[0]) / dot(facing, facing).sqrt();
                assert!(cosine > 0.999, "{scale:?}, {with_normals}: {cosine}");
            }
        }
    }
}

#[test]
fn a_mesh_has_the_colours_of_its_texture() {
    let mesh = mesh(&cube()).unwrap();
    assert_eq!((mesh.vertices.len(), mesh.triangles.len()), (24, 12));
    assert_eq!((mesh.colours.len(), mesh.normals.len()), (24, 24));
    for (vertex, colour) in mesh.colours.iter().enumerate() {
        let expected = if vertex < 4 {
            [250.0, 10.0, 10.0]
        } else {
            [10.0, 10.0, 250.0]
        };
        for (value, expected) in colour.iter().zip(expected) {
            assert!((value * 255.0 - expected).abs() < 0.01, "{vertex}: {colour:?}");
        }
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let numbers = bytes.chunks_exact(4);
    numbers
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect()
}

#[test]
fn an_stl_has_every_triangle_in_millimetres_with_z_up() {
    let bytes = stl(&glb(image::ImageFormat::Png, true), 50.0, LABEL).unwrap();
    assert!(bytes.starts_with(b"trellis: a preview from the outline, not TRELLIS; Z up, mm"));
    assert_eq!((bytes.len(), &bytes[80..84]), (84 + 2 * 50, &[2, 0, 0, 0][..]));
    // The square is 1 wide and 0.1 high, from 2 up; it looks along Z, which is to the front and becomes -Y.
    let corner = |at: usize| floats(&bytes[84 + at..84 + at + 12]);
    assert_eq!(corner(0), [0.0, -1.0, 0.0], "the normal");
    for (at, expected) in [
        (12, [0.0, 0.0, 100.0]),
        (24, [50.0, 0.0, 100.0]),
        (36, [50.0, 0.0, 105.0]),
    ] {
        let near = corner(at)
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() < 1e-3);
        assert!(near, "{:?} is not {expected:?}", corner(at));
    }
}

#[test]
fn a_ply_has_one_vertex_a_place_with_its_colour() {
    let bytes = ply(&glb(image::ImageFormat::Png, true), LABEL).unwrap();
    let end = bytes
        .windows(11)
        .position(|line| line == b"end_header\n")
        .expect("a header")
        + 11;
    let header = String::from_utf8_lossy(&bytes[..end]);
    for line in [
        "ply\nformat binary_little_endian 1.0\n",
        "comment a preview from the outline, not TRELLIS\ncomment my chair (preview, not TRELLIS)\n",
        "element vertex 4\n",
        "element face 2\n",
    ] {
        assert!(header.contains(line), "{line} is not in {header}");
    }
    assert_eq!(bytes.len(), end + 4 * 27 + 2 * 13);
    assert_eq!(floats(&bytes[end..end + 24]), [0.0, 2.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(bytes[end + 24..][..3], [250, 10, 10]);
    assert_eq!(
        bytes[end + 4 * 27..][..13],
        [3, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]
    );
}
