//! Which format a file has, by its content.

use trellis_core::MeshFormat;

use crate::MeshError;

/// Lines of a text that are looked at for an OBJ's first vertex: exporters write a comment before it.
const LINES: usize = 1000;

/// Beginnings of files that people take for one of the formats, what they are, and what to do.
const OTHERS: [(&[u8], &str, &str); 12] = [
    (
        b"{",
        "this is JSON, perhaps a `.gltf`",
        "export the mesh as GLB, which is one file",
    ),
    (b"Kaydara FBX", "this is an FBX file", "export the mesh as GLB"),
    (b"; FBX", "this is an FBX file", "export the mesh as GLB"),
    (b"BLENDER", "this is a Blender file", "export the mesh as GLB"),
    (b"solid", "this is an STL file", "convert it to GLB, OBJ or PLY"),
    (
        b"<?xml",
        "this is XML, perhaps a COLLADA file",
        "export the mesh as GLB",
    ),
    (b"#usda", "this is a USD file", "export the mesh as GLB"),
    (b"PXR-USDC", "this is a USD file", "export the mesh as GLB"),
    (
        b"PK",
        "this is a zip file",
        "unpack it and send the mesh in it, as GLB, OBJ or PLY",
    ),
    (b"\x1F\x8B", "this is compressed with gzip", "unpack it first"),
    (
        b"\x89PNG",
        "this is a picture",
        "send pictures as `image` and the mesh as `mesh`",
    ),
    (
        b"\xFF\xD8\xFF",
        "this is a picture",
        "send pictures as `image` and the mesh as `mesh`",
    ),
];

pub(crate) fn format(bytes: &[u8]) -> Result<MeshFormat, MeshError> {
    if bytes.starts_with(b"glTF") {
        return Ok(MeshFormat::Glb);
    }
    if bytes.starts_with(b"ply\n") || bytes.starts_with(b"ply\r") {
        return Ok(MeshFormat::Ply);
    }
    let start = bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(bytes)
        .trim_ascii_start();
    let other = OTHERS.iter().find(|(beginning, ..)| start.starts_with(beginning));
    if let Some((_, sentence, fix)) = other {
        return Err(MeshError::NotRead { sentence, fix });
    }
    let mut lines = start.split(|byte| *byte == b'\n').take(LINES);
    if lines.any(|line| line.starts_with(b"v ") || line.starts_with(b"v\t")) {
        return Ok(MeshFormat::Obj);
    }
    let sentence = if bytes.is_empty() {
        "the mesh is an empty file"
    } else {
        "this is not a GLB, OBJ or PLY file"
    };
    let fix = "send the mesh as GLB, OBJ or PLY";
    Err(MeshError::NotRead { sentence, fix })
}
