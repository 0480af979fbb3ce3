//! GLBs: nodes, modes, extensions.

use serde_json::{Value, json};
use trellis_core::MeshFormat;
use trellis_mesh::{Limits, Mesh, MeshError, probe, read};

/// A GLB of these parts.
pub(crate) fn glb(document: &Value, bin: &[u8]) -> Vec<u8> {
    let mut text = document.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let mut bin = bin.to_vec();
    bin.resize(bin.len().next_multiple_of(4), 0);
    let total = 12 + 8 + text.len() + 8 + bin.len();
    let mut glb = b"glTF".to_vec();
    for number in [2, total, text.len()] {
        glb.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    glb.extend(b"JSON");
    glb.extend(text);
    glb.extend(u32::try_from(bin.len()).unwrap().to_le_bytes());
    glb.extend(b"BIN\0");
    glb.extend(bin);
    glb
}

/// Four vertices in a square of side 2, and the places in a texture of each.
pub(crate) fn square(mode: u32, node: &Value) -> (Value, Vec<u8>) {
    let mut bin = Vec::new();
    for [x, y] in [[0.0_f32, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]] {
        bin.extend([x, y, 0.0].map(f32::to_le_bytes).as_flattened());
    }
    for uv in [[0.0_f32, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.25]] {
        bin.extend(uv.map(f32::to_le_bytes).as_flattened());
    }
    let indices: &[u16] = if mode == 4 {
        &[0, 1, 2, 2, 1, 3]
    } else {
        &[0, 1, 2, 3]
    };
    for index in indices {
        bin.extend(index.to_le_bytes());
    }
    let document = json!({
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"primitives": [{
            "attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "mode": mode,
        }]}],
        "buffers": [{"byteLength": bin.len()}],
        "bufferViews": [
            {"buffer": 0, "byteLength": 48},
            {"buffer": 0, "byteOffset": 48, "byteLength": 32},
            {"buffer": 0, "byteOffset": 80, "byteLength": 2 * indices.len()},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3",
             "min": [0.0, 0.0, 0.0], "max": [2.0, 2.0, 0.0]},
            {"bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": indices.len(), "type": "SCALAR"},
        ],
    });
    (document, bin)
}

fn plain() -> (Value, Vec<u8>) {
    square(4, &json!({"mesh": 0}))
}

fn of(document: &Value, bin: &[u8]) -> Result<Mesh, MeshError> {
    read(&glb(document, bin), Limits::default()).map(|(_, mesh)| mesh)
}

#[test]
fn triangles_are_read_with_their_places_in_the_texture() {
    let (document, bin) = plain();
    let file = glb(&document, &bin);
    let found = probe(&file, Limits::default()).unwrap();
    assert_eq!(
        (found.format, found.vertices, found.triangles),
        (MeshFormat::Glb, 4, 2)
    );
    let mesh = of(&document, &bin).unwrap();
    assert_eq!(mesh.triangles, [[0, 1, 2], [2, 1, 3]]);
    assert_eq!(mesh.vertices[3], [2.0, 2.0, 0.0]);
    // glTF counts from the top.
    assert_eq!(mesh.uvs[3], [1.0, 0.75]);
    assert!(mesh.normals.is_empty());
}

#[test]
fn strips_and_fans_look_to_one_side() {
    let facing = |mesh: &Mesh| {
        let sign = |corners: &[u32; 3]| {
            let [a, b, c] = corners.map(|vertex| mesh.vertices[vertex as usize]);
            (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        };
        mesh.triangles.iter().map(sign).collect::<Vec<f32>>()
    };
    let (document, bin) = square(5, &json!({"mesh": 0}));
    assert_eq!(facing(&of(&document, &bin).unwrap()), [4.0, 4.0]);
    let (document, bin) = square(6, &json!({"mesh": 0}));
    assert_eq!(of(&document, &bin).unwrap().triangles, [[0, 1, 2], [0, 2, 3]]);
    // Points and lines have no surface.
    let (document, bin) = square(0, &json!({"mesh": 0}));
    assert_eq!(
        of(&document, &bin).unwrap_err().to_string(),
        "the mesh has no triangles"
    );
}

#[test]
fn nodes_are_in_their_places_and_mirrors_turn_triangles() {
    let (document, bin) = square(
        4,
        &json!({"mesh": 0, "translation": [1, 0, 0], "scale": [-1, 1, 1]}),
    );
    let mesh = of(&document, &bin).unwrap();
    assert_eq!(mesh.vertices[1], [-1.0, 0.0, 0.0]);
    assert_eq!(mesh.triangles[0], [0, 2, 1]);
}

#[test]
fn empty_parts_without_end_are_refused() {
    let (mut document, bin) = square(0, &json!({"mesh": 0}));
    let points = document["meshes"][0]["primitives"][0].clone();
    document["meshes"][0]["primitives"] = json!(vec![points; 400]);
    document["nodes"] = json!(vec![json!({"mesh": 0}); 300]);
    document["scenes"] = json!([{"nodes": (0..300).collect::<Vec<u32>>()}]);
    let error = of(&document, &bin).unwrap_err().to_string();
    assert_eq!(error, "this GLB has more than 100000 parts");
}

#[test]
fn nodes_in_a_circle_end() {
    let (mut document, bin) = square(4, &json!({"mesh": 0, "children": [1]}));
    document["nodes"] = json!([{"mesh": 0, "children": [1]}, {"children": [0]}]);
    let error = of(&document, &bin).unwrap_err().to_string();
    assert!(error.starts_with("the GLB is damaged"), "{error}");
}

#[test]
fn extensions_of_surfaces_are_passed_over_and_others_are_named() {
    let (mut document, bin) = plain();
    document["extensionsRequired"] = json!(["KHR_texture_transform"]);
    document["extensionsUsed"] = json!(["KHR_texture_transform"]);
    of(&document, &bin).unwrap();
    document["extensionsRequired"] = json!(["KHR_draco_mesh_compression"]);
    let error = of(&document, &bin).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this GLB needs the glTF extension `KHR_draco_mesh_compression`, which is not supported"
    );
    assert!(error.advice().contains("without compression"));
}

#[test]
fn data_in_other_files_is_said_to_be_missing() {
    let (mut document, bin) = plain();
    document["buffers"] = json!([{"byteLength": 92, "uri": "chair.bin"}]);
    let error = of(&document, &bin).unwrap_err().to_string();
    assert_eq!(error, "this GLB keeps its data in other files");
}

#[test]
fn what_refers_to_nothing_is_damaged_and_ends_nobody() {
    for (place, value) in [
        ("/meshes/0/primitives/0/attributes/POSITION", json!(9)),
        ("/meshes/0/primitives/0/indices", json!(7)),
        ("/accessors/0/bufferView", json!(8)),
        ("/accessors/2/count", json!(600)),
        ("/bufferViews/0/byteOffset", json!(4_000_000_000_u64)),
        ("/nodes/0/mesh", json!(3)),
        ("/accessors/1/type", json!("MAT4")),
    ] {
        let (mut document, bin) = plain();
        match document.pointer_mut(place) {
            Some(there) => *there = value,
            None => document["bufferViews"][0]["byteOffset"] = value,
        }
        let error = of(&document, &bin).unwrap_err();
        assert!(matches!(error, MeshError::Damaged { .. }), "{place}: {error}");
    }
    let (mut document, bin) = plain();
    document["accessors"][2]["count"] = json!(4_000_000_000_u64);
    let error = of(&document, &bin).unwrap_err().to_string();
    assert_eq!(error, "the mesh has more than 4000000 triangles");
}
