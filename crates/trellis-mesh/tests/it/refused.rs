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
fn more_triangles_than_allowed_are_refused() {
    let (document, bin) = square(4, &json!({"mesh": 0}));
    let error = read(&glb(&document, &bin), Limits { triangles: 1 }).unwrap_err();
    assert_eq!(error.to_string(), "the mesh has more than 1 triangles");
    assert!(error.advice().contains("reduce"));
}

proptest! {
    #[test]
    fn damage_anywhere_is_an_error_or_a_mesh(at in 0_usize..1200, byte: u8, cut in 0_usize..1200) {
        let (document, bin) = square(4, &json!({"mesh": 0}));
        let mut file = glb(&document, &bin);
        let at = at % file.len();
        file[at] = byte;
        let _ = read(&file, Limits::default());
        file.truncate(cut.min(file.len()));
        let _ = read(&file, Limits::default());
    }

    #[test]
    fn any_text_is_an_error_or_a_mesh(text in "(v|vt|f|ply|element|[ -~]){0,8}( -?[0-9./]{1,6}){0,5}\n?") {
        for beginning in ["", "v 0 0 0\n", "ply\nformat ascii 1.0\n"] {
            let _ = read(format!("{beginning}{text}").as_bytes(), Limits::default());
        }
    }
}
