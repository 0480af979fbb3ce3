//! O-Voxel files of two cubes, and what is wrong with others.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use trellis_core::{FailureKind, Format};

use super::{seen, wrong};

/// The place of a cube, its octree, and its attributes in their order.
type Cube = ([i32; 3], Vec<u8>, [Vec<u8>; 6]);

const NAMES: [&str; 6] = [
    "base_color",
    "metallic",
    "roughness",
    "alpha",
    "dual_vertices",
    "intersected",
];
const WIDTHS: [u8; 6] = [3, 1, 1, 1, 3, 1];

/// So many bytes of each attribute as so many voxels have; the last is the edges that the surface crosses.
fn attributes(voxels: u8, crossed: u8) -> [Vec<u8>; 6] {
    std::array::from_fn(|index| {
        let value = if index == 5 { crossed } else { 200 };
        vec![value; usize::from(voxels * WIDTHS[index])]
    })
}

/// Cubes of 4 voxels a side: an octree of a root and of nodes with voxels.
pub(super) fn cubes() -> Vec<Cube> {
    vec![
        ([0, 0, 0], vec![0b1000_0001, 0b11, 0b1], attributes(3, 0b101)),
        ([1, 0, 7], vec![0b10, 0b1000_0000], attributes(1, 0)),
    ]
}

pub(super) fn header() -> Value {
    let attributes: Vec<Value> = NAMES.iter().zip(WIDTHS).map(|pair| json!(pair)).collect();
    json!({
        "num_voxel": 4,
        "chunk_size": 4,
        "filter": "none",
        "compression": "deflate",
        "compression_level": 6,
        "raw_size": 88,
        "compressed_size": 0,
        "compress_ratio": 1.0,
        "attr_interleave": "as_is",
        "attr": attributes,
    })
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// With the places of these cubes in its header, unless that has some already.
pub(super) fn file(header: &Value, cubes: &[Cube]) -> Vec<u8> {
    let (mut body, mut chunks) = (Vec::new(), Vec::new());
    for (place, octree, attributes) in cubes {
        let (at, mut chunk) = (body.len(), json!({ "idx": place }));
        for (name, part) in std::iter::once((&"svo", octree)).chain(NAMES.iter().zip(attributes)) {
            let part = deflated(part);
            chunk[*name] = json!([body.len() - at, part.len()]);
            body.extend(part);
        }
        chunk["ptr"] = json!([at, body.len() - at]);
        chunks.push(chunk);
    }
    let mut header = header.clone();
    if header.get("chunks").is_none() {
        header["chunks"] = json!(chunks);
    }
    let text = header.to_string();
    let begin = u32::try_from(8 + text.len()).unwrap().to_be_bytes();
    [&b"VXZ\0"[..], &begin, text.as_bytes(), &body].concat()
}

#[track_caller]
fn refused(header: &Value, cubes: &[Cube], why: &str) {
    wrong(Format::Vxz, &file(header, cubes), FailureKind::Internal, why);
}

#[test]
fn a_header_must_be_of_what_trellis_2_writes() {
    for (name, value, why) in [
        ("compression", json!("zstd"), "packed in another way"),
        ("filter", json!("parent"), "packed in another way"),
        ("attr_interleave", json!("all"), "packed in another way"),
        ("chunk_size", json!(6), "another side"),
        ("chunk_size", json!(2), "another side"),
        ("chunk_size", json!(2048), "another side"),
        ("num_voxel", json!(5), "names 5 voxels, and it has 4"),
        ("num_voxel", json!(3), "damaged"),
        ("num_voxel", json!(u64::MAX), "more voxels than it can have"),
        ("num_voxel", json!(-1), "its header: "),
        ("attr", json!([["base_color", 3]]), "other attributes"),
        ("attr", json!([["base_color", 4]]), "other attributes"),
        ("chunks", json!([]), "more bytes than its header names"),
        ("chunks", json!([{ "idx": [0, 0, 0] }]), "its header: "),
        (
            "chunks",
            json!([{ "idx": [0, 0, 0], "ptr": [0, 9], "svo": [0, 9] }]),
            "lacks an attribute",
        ),
        (
            "chunks",
            json!([{ "idx": [0, 0, 0], "ptr": [0, u64::MAX], "svo": [0, 9] }]),
            "cut short",
        ),
        (
            "chunks",
            json!([{ "idx": [0, 0, 0], "ptr": [1, 9], "svo": [0, 9] }]),
            "do not follow one another",
        ),
    ] {
        let mut header = header();
        header[name] = value;
        refused(&header, &cubes(), why);
    }
    let mut long = file(&header(), &cubes());
    long[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    wrong(Format::Vxz, &long, FailureKind::Internal, "longer than it can be");
}

#[test]
fn cubes_have_the_voxels_of_their_octree() {
    let changed = |change: fn(&mut Vec<Cube>)| {
        let mut cubes = cubes();
        change(&mut cubes);
        cubes
    };
    for (cubes, why) in [
        (
            changed(|cubes| cubes[1].0 = [0, 0, 0]),
            "cubes do not follow one another",
        ),
        (changed(|cubes| cubes[1].0 = [0, 0, -1]), "its header: "),
        (changed(|cubes| cubes[0].1[1] = 0), "damaged"),
        (changed(|cubes| cubes[0].1.push(1)), "damaged"),
        (changed(|cubes| cubes[0].1.truncate(2)), "cut short"),
        (changed(|cubes| cubes[0].1.clear()), "cut short"),
        (
            changed(|cubes| cubes[0].1[1] = 0b1),
            "`base_color` has more or fewer",
        ),
        (
            changed(|cubes| cubes[0].2[1].truncate(2)),
            "`metallic` has more or fewer",
        ),
        (
            changed(|cubes| cubes[0].2[4].push(0)),
            "`dual_vertices` has more or fewer",
        ),
        (
            changed(|cubes| cubes[0].2[5][1] = 0b1000),
            "more than three edges",
        ),
    ] {
        refused(&header(), &cubes, why);
    }
}

#[test]
fn voxels_without_a_surface_are_implausible() {
    let mut cubes = cubes();
    cubes[0].2[5] = vec![0; 3];
    let file_of = file(&header(), &cubes);
    wrong(
        Format::Vxz,
        &file_of,
        FailureKind::ImplausibleResult,
        "no surface",
    );
    let mut header = header();
    header["num_voxel"] = json!(0);
    let empty = file(&header, &[]);
    wrong(Format::Vxz, &empty, FailureKind::ImplausibleResult, "no voxels");
}

#[test]
fn a_part_ends_where_the_header_says() {
    let whole = file(&header(), &cubes());
    let begin = usize::try_from(u32::from_be_bytes(whole[4..8].try_into().unwrap())).unwrap();
    let mut chunk: Value = serde_json::from_slice(&whole[8..begin]).unwrap();
    let at = chunk["chunks"][1]["intersected"][1].as_u64().unwrap();
    let ptr = chunk["chunks"][1]["ptr"][1].as_u64().unwrap();
    chunk["chunks"][1]["intersected"][1] = json!(at + 2);
    chunk["chunks"][1]["ptr"][1] = json!(ptr + 2);
    let mut longer = file(&chunk, &cubes());
    longer.extend(b"ab");
    wrong(
        Format::Vxz,
        &longer,
        FailureKind::Internal,
        "ends before it should",
    );
}

/// The octree of a cube of `1 << depth` voxels a side, from the numbers of its voxels in their order.
fn octree(codes: &[u32], depth: u32) -> Vec<u8> {
    let children: Vec<(u8, Vec<u32>)> = (0..8_u8)
        .map(|child| {
            let within = codes
                .iter()
                .filter(|code| **code >> (3 * (depth - 1)) == u32::from(child));
            let rest = (1_u32 << (3 * (depth - 1))) - 1;
            (child, within.map(|code| code & rest).collect())
        })
        .filter(|(_, within): &(u8, Vec<u32>)| !within.is_empty())
        .collect();
    let mut nodes = vec![children.iter().fold(0, |node, (child, _)| node | 1 << child)];
    if depth > 1 {
        nodes.extend(children.iter().flat_map(|(_, within)| octree(within, depth - 1)));
    }
    nodes
}

proptest! {
    #[test]
    fn any_voxels_are_read(
        codes in proptest::collection::btree_set(0_u32..4096, 1..60),
        other in 0_u32..4096,
    ) {
        let codes: Vec<u32> = codes.into_iter().collect();
        let count = u8::try_from(codes.len()).unwrap();
        let cubes = [
            ([0, 0, 0], octree(&codes, 4), attributes(count, 1)),
            ([0, 1, 0], octree(&[other], 4), attributes(1, 7)),
        ];
        let mut header = header();
        header["chunk_size"] = json!(16);
        header["num_voxel"] = json!(u32::from(count) + 1);
        prop_assert!(seen(Format::Vxz, &file(&header, &cubes)).is_ok());
    }

    #[test]
    fn damaged_files_are_refused_or_read(
        at in any::<proptest::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 1..9),
    ) {
        let mut file = file(&header(), &cubes());
        let at = at.index(file.len());
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
        // It ends, and does not panic.
        let _ = seen(Format::Vxz, &file);
    }
}
