//! PLYs in their three encodings.

use std::fmt::Write as _;

use trellis_core::MeshFormat;
use trellis_mesh::{Limits, Mesh, MeshError, read};

fn header(encoding: &str, vertices: usize, faces: usize) -> String {
    format!(
        "ply\nformat {encoding} 1.0\ncomment an exporter\nelement vertex {vertices}\nproperty float x\nproperty float y\n\
         property float z\nproperty uchar red\nproperty float s\nproperty float t\nelement face {faces}\n\
         property list uchar int vertex_indices\nend_header\n"
    )
}

const VERTICES: [[f32; 5]; 4] = [
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [1.0, 0.0, 0.0, 1.0, 0.0],
    [1.0, 1.0, 0.0, 1.0, 1.0],
    [0.0, 1.0, 0.5, 0.0, 0.25],
];

/// A square, its numbers as bytes in an order.
fn binary(encoding: &str, float: fn(f32) -> [u8; 4], whole: fn(i32) -> [u8; 4]) -> Vec<u8> {
    let mut ply = header(encoding, 4, 1).into_bytes();
    for [x, y, z, s, t] in VERTICES {
        ply.extend([x, y, z].map(float).as_flattened());
        ply.push(200);
        ply.extend([s, t].map(float).as_flattened());
    }
    ply.push(4);
    ply.extend([0, 1, 2, 3].map(whole).as_flattened());
    ply
}

fn of(ply: &[u8]) -> Result<Mesh, MeshError> {
    read(ply, Limits::default()).map(|(format, mesh)| {
        assert_eq!(format, MeshFormat::Ply);
        mesh
    })
}

#[test]
fn each_encoding_holds_the_same_mesh() {
    let little = of(&binary(
        "binary_little_endian",
        f32::to_le_bytes,
        i32::to_le_bytes,
    ))
    .unwrap();
    let big = of(&binary("binary_big_endian", f32::to_be_bytes, i32::to_be_bytes)).unwrap();
    let mut text = header("ascii", 4, 1);
    for [x, y, z, s, t] in VERTICES {
        writeln!(text, "{x} {y} {z} 200 {s} {t}").unwrap();
    }
    text += "4 0 1 2 3\n";
    let text = of(text.as_bytes()).unwrap();
    assert_eq!((&little, &little), (&big, &text));
    assert_eq!(little.triangles, [[0, 1, 2], [0, 2, 3]]);
    assert_eq!(
        (little.vertices[3], little.uvs[3]),
        ([0.0, 1.0, 0.5], [0.0, 0.25])
    );
}

#[test]
fn what_is_wrong_is_said() {
    let whole = binary("binary_little_endian", f32::to_le_bytes, i32::to_le_bytes);
    let text =
        |vertices: usize, faces: usize, rows: &str| (header("ascii", vertices, faces) + rows).into_bytes();
    for (ply, said) in [
        (
            whole[..whole.len() - 1].to_vec(),
            "the PLY is damaged: it is cut short",
        ),
        (
            text(1, 1, "0 0 0 0 0 0\n3 0 0 9\n"),
            "refers to a vertex that does not exist",
        ),
        (
            text(1, 1, "0 0 0 0 0 0\n3 0 0 -1\n"),
            "refers to a vertex that does not exist",
        ),
        (
            text(1, 1, "0 0 nan 0 0 0\n3 0 0 0\n"),
            "a vertex has a coordinate that is not a number",
        ),
        (text(1, 1, "0 0 zero 0 0 0\n3 0 0 0\n"), "a value is not a number"),
        (text(1, 1, "0 0 0 0 0 0\n3 0 0 0\n"), "has no surface"),
        (text(0, 0, ""), "has no triangles"),
        (
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n".to_vec(),
            "its vertices have no `x`, `y` and `z`",
        ),
        (
            header("ascii", 3, 1)
                .replace("element face", "element nothing 99999999999999\nelement face")
                .into_bytes(),
            "its header is not a valid PLY header",
        ),
        (
            b"ply\nformat ascii 1.0\nelement".to_vec(),
            "its header is not a valid PLY header",
        ),
    ] {
        let error = of(&ply).unwrap_err().to_string();
        assert!(error.contains(said), "{error}, not {said}");
    }
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_any_row() {
    for (vertices, faces, what) in [(1, 5_000_000, "triangles"), (50_000_000, 1, "vertices")] {
        let error = of(header("ascii", vertices, faces).as_bytes()).unwrap_err();
        assert!(matches!(error, MeshError::TooLarge { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}
