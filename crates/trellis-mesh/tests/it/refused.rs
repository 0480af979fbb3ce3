//! What is not a mesh, and that nothing ends the reader.

use proptest::prelude::*;
use serde_json::json;
use trellis_mesh::{Limits, read};

use crate::glbs::{glb, square};

#[test]
fn other_files_are_named() {
    for (bytes, said) in [
        (&b""[..], "the mesh is an empty file"),
        (b"{\"asset\":{}}", "this is JSON, perhaps a `.gltf`"),
        (b"\x89PNG\r\n\x1a\n", "this is a picture"),
        (b"PK\x03\x04", "this is a zip file"),
        (b"solid chair\nfacet", "this is an STL file"),
        (b"Kaydara FBX Binary  \0", "this is an FBX file"),
        (b"a letter to somebody", "this is not a GLB, OBJ or PLY file"),
    ] {
        let error = read(bytes, Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), said);
        assert!(!error.advice().is_empty());
    }
}

#[test]
fn what_an_application_adds_to_a_vertex_is_left_out() {
    let (mut document, bin) = square(4, &json!({"mesh": 0}));
    let plain = read(&glb(&document, &bin), Limits::default()).unwrap().1;
    document["meshes"][0]["primitives"][0]["attributes"]["_BATCHID"] = json!(0);
    let (_, found) = read(&glb(&document, &bin), Limits::default()).unwrap();
    assert_eq!(found.triangles, plain.triangles);
}

#[test]
fn lines_parts_and_second_lists_of_vertices_count() {
    let corner = "v 0 0 0\nv 1 0 0\nv 0 1 0\n";
    let limits = Limits { triangles: 10 };
    let lines = format!("{corner}f 1 2 3\n{}", "l 1\n".repeat(11));
    let error = read(lines.as_bytes(), limits).unwrap_err();
    assert_eq!(error.to_string(), "the mesh has more than 10 triangles");
    let parts = format!("{corner}{}f 1 2 3\n", "g\n".repeat(100_001));
    let error = read(parts.as_bytes(), limits).unwrap_err();
    assert!(
        error.to_string().contains("has more than 100000 parts"),
        "{error}"
    );
    let twice = format!(
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nelement vertex 40\nproperty char x\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n{}3 0 1 2\n",
        "0\n".repeat(40)
    );
    let error = read(twice.as_bytes(), limits).unwrap_err();
    assert_eq!(error.to_string(), "the mesh has more than 30 vertices");
}

#[test]
fn more_triangles_than_allowed_are_refused() {
    let (document, bin) = square(4, &json!({"mesh": 0}));
    let error = read(&glb(&document, &bin), Limits { triangles: 1 }).unwrap_err();
    assert_eq!(error.to_string(), "the mesh has more than 1 triangles");
    assert!(error.advice().contains("reduce"));
}

/// Reads it twice: the second time says the same.
fn read_twice(bytes: &[u8]) -> String {
    let said = || format!("{:?}", read(bytes, Limits::default()));
    let first = said();
    assert_eq!(first, said());
    first
}

proptest! {
    #[test]
    fn damage_anywhere_is_an_error_or_a_mesh(at in 0_usize..1200, byte: u8, cut in 0_usize..1200) {
        let (document, bin) = square(4, &json!({"mesh": 0}));
        let mut file = glb(&document, &bin);
        let at = at % file.len();
        file[at] = byte;
        read_twice(&file);
        let whole = file.len();
        file.truncate(cut.min(whole));
        prop_assert!(file.len() == whole || read_twice(&file).starts_with("Err"));
    }

    #[test]
    fn any_text_is_an_error_or_a_mesh(text in "(v|vt|f|ply|element|[ -~]){0,8}( -?[0-9./]{1,6}){0,5}\n?") {
        for beginning in ["", "v 0 0 0\n", "ply\nformat ascii 1.0\n"] {
            read_twice(format!("{beginning}{text}").as_bytes());
        }
    }
}
