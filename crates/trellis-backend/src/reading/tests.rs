//! Good files of each format, and what is wrong with those that are not.

use std::io::Cursor;

use serde_json::{Value, json};
use trellis_convert::{Bundle, File};

use super::*;

mod vxz;

/// A GLB of this JSON and buffer.
pub(crate) fn glb(document: &Value, buffer: &[u8]) -> Vec<u8> {
    let mut text = document.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut file = b"glTF\x02\0\0\0".to_vec();
    file.extend(number(28 + text.len() + buffer.len()));
    file.extend(number(text.len()));
    file.extend_from_slice(b"JSON");
    file.extend(text);
    file.extend(number(buffer.len()));
    file.extend_from_slice(b"BIN\0");
    file.extend_from_slice(buffer);
    file
}

fn numbers(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Three vertices, then three vertex numbers of two bytes and two bytes of nothing.
fn buffer(positions: [f32; 9], indices: [u16; 3]) -> Vec<u8> {
    let mut buffer = numbers(&positions);
    buffer.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
    buffer.extend([0; 2]);
    buffer
}

const POSITIONS: [f32; 9] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.5];

/// One triangle.
fn document() -> Value {
    json!({
        "asset": { "version": "2.0" }, "scene": 0, "scenes": [{ "nodes": [0] }], "nodes": [{ "mesh": 0 }],
        "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0 }, "indices": 1 }] }],
        "buffers": [{ "byteLength": 44 }],
        "bufferViews": [{ "buffer": 0, "byteLength": 36 }, { "buffer": 0, "byteOffset": 36, "byteLength": 6 }],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3" },
            { "bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR" },
        ],
    })
}

/// The smallest GLB that shows something: a triangle.
pub(crate) fn triangle() -> Vec<u8> {
    glb(&document(), &buffer(POSITIONS, [0, 1, 2]))
}

fn stl(triangles: u32, positions: [f32; 9]) -> Vec<u8> {
    let mut file = vec![b' '; 80];
    file.extend(triangles.to_le_bytes());
    for _ in 0..triangles {
        file.extend([0; 12]);
        file.extend(numbers(&positions));
        file.extend([0; 2]);
    }
    file
}

fn ply(format: &str, vertices: &str, faces: &str, rows: &[u8]) -> Vec<u8> {
    let mut file = format!(
        "ply\nformat {format} 1.0\ncomment of a test\nelement vertex {vertices}\nproperty float x\nproperty float y\n\
         property float z\nproperty uchar red\n{faces}end_header\n"
    )
    .into_bytes();
    file.extend_from_slice(rows);
    file
}

const FACES: &str = "element face 1\nproperty list uchar int vertex_indices\n";

fn binary_ply(positions: [f32; 9], last: i32) -> Vec<u8> {
    let mut rows = Vec::new();
    for point in positions.chunks(3) {
        rows.extend(numbers(point));
        rows.push(200);
    }
    rows.push(3);
    rows.extend([0, 1, last].iter().flat_map(|corner: &i32| corner.to_le_bytes()));
    ply("binary_little_endian", "3", FACES, &rows)
}

fn text_ply(last: &str) -> Vec<u8> {
    ply(
        "ascii",
        "3",
        FACES,
        format!("0 0 0 1\n1 0 0 1\n0 1e0 0 1\n3 0 1 {last}\n").as_bytes(),
    )
}

fn gaussians(count: u32, x: f32) -> Vec<u8> {
    let mut file = format!(
        "ply\nformat binary_little_endian 1.0\nelement vertex {count}\nproperty float x\nproperty float y\n\
         property float z\nproperty float opacity\nend_header\n"
    )
    .into_bytes();
    for at in 0..count {
        // An opaque one has no finite opacity in this form.
        file.extend(numbers(&[
            x,
            0.0,
            f32::from(u16::try_from(at).unwrap()),
            f32::INFINITY,
        ]));
    }
    file
}

fn obj(text: &str) -> Vec<u8> {
    let file = File {
        name: "model.obj".to_owned(),
        bytes: text.into(),
    };
    Bundle { files: vec![file] }.to_zip().unwrap()
}

fn mp4() -> Vec<u8> {
    let mut file = b"\0\0\0\x10ftypisom\0\0\0\0".to_vec();
    file.extend(b"\0\0\0\x08moov");
    // A length of eight bytes.
    file.extend(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x14\x01\x02\x03\x04");
    file
}

fn vox(voxels: &[[u8; 4]]) -> Vec<u8> {
    let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut chunks = b"SIZE\x0c\0\0\0\0\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0XYZI".to_vec();
    chunks.extend(number(4 + 4 * voxels.len()));
    chunks.extend(number(0));
    chunks.extend(number(voxels.len()));
    chunks.extend(voxels.iter().flatten());
    chunks.extend(b"LAYR\x02\0\0\0\0\0\0\0ab");
    let mut file = b"VOX \x96\0\0\0MAIN\0\0\0\0".to_vec();
    file.extend(number(chunks.len()));
    file.extend(chunks);
    file
}

#[test]
fn voxels_lie_within_their_size_and_have_a_colour() {
    for voxel in [[2, 0, 0, 1], [0, 3, 0, 1], [0, 0, 4, 1], [0, 0, 0, 0]] {
        wrong(
            Format::Voxels,
            &vox(&[voxel]),
            FailureKind::Internal,
            "outside or has no colour",
        );
    }
    wrong(
        Format::Voxels,
        &vox(&[]),
        FailureKind::ImplausibleResult,
        "no voxels",
    );
}

fn good() -> Vec<(Format, Vec<u8>)> {
    vec![
        (Format::Glb, triangle()),
        (Format::Stl, stl(2, POSITIONS)),
        (Format::Ply, binary_ply(POSITIONS, 2)),
        (Format::Ply, text_ply("2")),
        (Format::GaussianPly, gaussians(2, 0.0)),
        (Format::Obj, obj("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")),
        (Format::Turntable, mp4()),
        (Format::Voxels, vox(&[[1, 2, 3, 255], [0, 0, 0, 1]])),
        (Format::Vxz, vxz::file(&vxz::header(), &vxz::cubes())),
    ]
}

fn seen(format: Format, file: &[u8]) -> Result<(), Unfit> {
    look(format, &mut Cursor::new(file), file.len() as u64)
}

#[test]
fn what_is_whole_is_taken_and_no_beginning_of_it_is() {
    for (format, file) in good() {
        seen(format, &file).unwrap_or_else(|unfit| panic!("{format}: {unfit}"));
        for length in 0..file.len() {
            assert!(seen(format, &file[..length]).is_err(), "{format}, {length} bytes");
        }
        let longer = [&file[..], b"more"].concat();
        // Readers of zips look for their end.
        assert!(
            format == Format::Obj || seen(format, &longer).is_err(),
            "{format}: with more behind it"
        );
        assert!(
            matches!(seen(format, b"21 bytes of plain text"), Err(Unfit::Unreadable(_))),
            "{format}"
        );
    }
}

#[test]
fn bytes_of_any_kind_are_read_or_refused() {
    for (format, file) in good() {
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut odd = file.clone();
                odd[at] = value;
                // It ends, and does not panic.
                let _ = seen(format, &odd);
            }
        }
    }
}

#[track_caller]
fn wrong(format: Format, file: &[u8], kind: FailureKind, why: &str) {
    let failure = seen(format, file).unwrap_err().failure("model.x");
    assert_eq!(failure.kind, kind, "{failure}");
    assert!(failure.message.contains(why), "{failure}");
}

/// The triangle with one value of its JSON changed.
fn changed(pointer: &str, value: Value) -> Vec<u8> {
    let mut document = document();
    *document.pointer_mut(pointer).unwrap() = value;
    glb(&document, &buffer(POSITIONS, [0, 1, 2]))
}

#[test]
fn a_glb_whose_parts_do_not_fit_is_named() {
    for (pointer, value, why) in [
        ("/asset/version", json!("1.0"), "not of glTF 2"),
        ("/buffers/0/byteLength", json!(45), "buffer is longer"),
        (
            "/buffers/0",
            json!({ "byteLength": 44, "uri": "x.bin" }),
            "needs another file",
        ),
        ("/bufferViews/0/buffer", json!(1), "buffer that does not exist"),
        ("/bufferViews/0/byteLength", json!(u64::MAX), "beyond its buffer"),
        ("/bufferViews/1/byteOffset", json!(u64::MAX), "beyond its buffer"),
        ("/accessors/0/count", json!(4), "beyond its view"),
        ("/accessors/0/count", json!(u64::MAX), "beyond its view"),
        ("/accessors/0/bufferView", json!(9), "has no data"),
        ("/accessors/0/bufferView", json!(null), "has no data"),
        ("/accessors/0/componentType", json!(1), "unknown type"),
        ("/accessors/0/componentType", json!(5125), "floating-point"),
        ("/accessors/1/componentType", json!(5122), "whole numbers"),
        (
            "/meshes/0/primitives/0/indices",
            json!(7),
            "accessor that does not exist",
        ),
        ("/meshes/0/primitives/0/attributes", json!({}), "has no positions"),
        ("/nodes/0/mesh", json!(1), "mesh that does not exist"),
        ("/nodes/0/mesh", json!(-1), "its JSON: "),
        (
            "/bufferViews/0",
            json!({ "buffer": 0, "byteLength": 36, "byteStride": 8 }),
            "overlap",
        ),
    ] {
        wrong(Format::Glb, &changed(pointer, value), FailureKind::Internal, why);
    }
    let beyond = glb(&document(), &buffer(POSITIONS, [0, 1, 3]));
    wrong(
        Format::Glb,
        &beyond,
        FailureKind::Internal,
        "vertex that does not exist",
    );
    let mut shorter = triangle();
    shorter.truncate(40);
    wrong(
        Format::Glb,
        &shorter,
        FailureKind::Internal,
        "bytes, and it has 40",
    );
}

#[test]
fn what_cannot_be_meant_is_a_failure_of_its_own() {
    let with = |positions| glb(&document(), &buffer(positions, [0, 1, 2]));
    let mut odd = POSITIONS;
    for (value, why) in [
        (f32::NAN, "not a number"),
        (f32::INFINITY, "not a number"),
        (1e9, "1e9 from the middle"),
    ] {
        odd[4] = value;
        wrong(Format::Glb, &with(odd), FailureKind::ImplausibleResult, why);
        wrong(Format::Stl, &stl(1, odd), FailureKind::ImplausibleResult, why);
        wrong(
            Format::Ply,
            &binary_ply(odd, 2),
            FailureKind::ImplausibleResult,
            why,
        );
        wrong(
            Format::GaussianPly,
            &gaussians(1, value),
            FailureKind::ImplausibleResult,
            why,
        );
        let text = format!("v 0 0 0\nv {value} 0 0\nf 1 2 2\n");
        wrong(Format::Obj, &obj(&text), FailureKind::ImplausibleResult, why);
    }
    let one_place = "in one place";
    wrong(
        Format::Glb,
        &with([0.5; 9]),
        FailureKind::ImplausibleResult,
        one_place,
    );
    wrong(
        Format::Stl,
        &stl(3, [0.5; 9]),
        FailureKind::ImplausibleResult,
        one_place,
    );
    wrong(
        Format::Stl,
        &stl(0, POSITIONS),
        FailureKind::ImplausibleResult,
        "no triangles",
    );
    for (pointer, value) in [
        ("/meshes/0/primitives/0/mode", json!(0)),
        ("/accessors/1/count", json!(0)),
        ("/nodes", json!([])),
        ("/meshes/0/primitives", json!([])),
    ] {
        let mut document = document();
        document["meshes"][0]["primitives"][0]["mode"] = json!(4);
        *document.pointer_mut(pointer).unwrap() = value;
        let file = glb(&document, &buffer(POSITIONS, [0, 1, 2]));
        wrong(Format::Glb, &file, FailureKind::ImplausibleResult, "no triangles");
    }
    let mut stretched = document();
    stretched["nodes"][0]["scale"] = json!([1, 1e30, 1]);
    let stretched = glb(&stretched, &buffer(POSITIONS, [0, 1, 2]));
    wrong(
        Format::Glb,
        &stretched,
        FailureKind::ImplausibleResult,
        "much too far",
    );
    let nothing = ply(
        "ascii",
        "0",
        "element face 0\nproperty list uchar int vertex_indices\n",
        b"",
    );
    wrong(Format::Ply, &nothing, FailureKind::ImplausibleResult, "no faces");
    wrong(
        Format::GaussianPly,
        &gaussians(0, 0.0),
        FailureKind::ImplausibleResult,
        "no gaussians",
    );
    wrong(
        Format::Obj,
        &obj("v 0 0 0\n"),
        FailureKind::ImplausibleResult,
        "no faces",
    );
}

#[test]
fn rows_of_a_ply_are_held_against_its_header() {
    let unreadable = |file: &[u8], why| wrong(Format::Ply, file, FailureKind::Internal, why);
    unreadable(&binary_ply(POSITIONS, 3), "vertex that does not exist");
    unreadable(&binary_ply(POSITIONS, -1), "vertex that does not exist");
    unreadable(&text_ply("9"), "vertex that does not exist");
    unreadable(&text_ply("2 2"), "too many numbers");
    unreadable(&text_ply("x"), "too few numbers");
    unreadable(&text_ply("2\n0"), "goes on after");
    unreadable(&ply("binary_big_endian", "0", FACES, b""), "it is big-endian");
    unreadable(&ply("binary", "0", FACES, b""), "not that of a PLY");
    unreadable(&ply("ascii", "3", "element face 9\n", b""), "rows without values");
    unreadable(
        &ply("binary_little_endian", "18446744073709551615", FACES, b""),
        "cut short",
    );
    unreadable(&ply("binary_little_endian", "3", "", b""), "no faces");
    let endless = [&b"ply\nformat ascii 1.0\ncomment "[..], &vec![b'x'; 1 << 20]].concat();
    unreadable(&endless, "header is cut short");
    wrong(
        Format::GaussianPly,
        &binary_ply(POSITIONS, 2),
        FailureKind::Internal,
        "not gaussians",
    );
}

#[test]
fn a_buffer_that_is_shared_a_thousand_times_is_not_read_as_often() {
    let mut shared = document();
    let accessor = shared["accessors"][0].clone();
    for number in 2..1000 {
        shared["accessors"].as_array_mut().unwrap().push(accessor.clone());
        let primitive = json!({ "attributes": { "POSITION": number }, "indices": 1 });
        shared["meshes"][0]["primitives"]
            .as_array_mut()
            .unwrap()
            .push(primitive);
    }
    let file = glb(&shared, &buffer(POSITIONS, [0, 1, 2]));
    wrong(Format::Glb, &file, FailureKind::Internal, "too often");
}
