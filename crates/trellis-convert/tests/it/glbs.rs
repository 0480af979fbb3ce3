//! GLBs made here.

use std::io::Cursor;

use serde_json::json;
use trellis_convert::Label;

pub(crate) const LABEL: Label<'static> = Label {
    name: "my chair (preview, not TRELLIS)",
    about: "a preview from the outline, not TRELLIS",
};

pub(crate) const WEBP: &str = "EXT_texture_webp";

/// A square of two triangles, red at the left and blue at the right, in a node that is moved up by 2.
pub(crate) fn glb(texture: image::ImageFormat, with_normals: bool) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(16, 8, |x, _| {
        image::Rgb(if x < 8 { [250, 10, 10] } else { [10, 10, 250] })
    });
    let mut encoded = Cursor::new(Vec::new());
    picture
        .write_to(&mut encoded, texture)
        .expect("memory takes everything");
    let encoded = encoded.into_inner();
    let floats = [
        // positions
        0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.1, 0.0, 0.0, 0.1, 0.0, // normals
        0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, // texture coordinates
        0.0, 1.0, 1.0, 1.0, 1.0, 0.25, 0.0, 0.25_f32,
    ];
    let mut buffer: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
    buffer.extend(
        [0_u16, 1, 2, 0, 2, 3]
            .iter()
            .flat_map(|index| index.to_le_bytes()),
    );
    let image_at = buffer.len();
    buffer.extend(&encoded);
    buffer.resize(buffer.len().next_multiple_of(4), 0);
    let mut attributes = json!({ "POSITION": 0, "TEXCOORD_0": 2 });
    if with_normals {
        attributes["NORMAL"] = json!(1);
    }
    let mut document = json!({
        "asset": { "version": "2.0" },
        "scene": 0,
        "scenes": [{ "nodes": [0] }],
        "nodes": [{ "children": [1], "translation": [0.0, 2.0, 0.0] }, { "mesh": 0 }],
        "meshes": [{ "primitives": [{ "attributes": attributes, "indices": 3, "material": 0 }] }],
        "materials": [{ "pbrMetallicRoughness": { "baseColorTexture": { "index": 0 } } }],
        "textures": [{ "source": 0 }],
        "images": [{ "bufferView": 4, "mimeType": texture.to_mime_type() }],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3", "min": [0, 0, 0], "max": [1, 0.1, 0] },
            { "bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC3" },
            { "bufferView": 2, "componentType": 5126, "count": 4, "type": "VEC2" },
            { "bufferView": 3, "componentType": 5123, "count": 6, "type": "SCALAR" },
        ],
        "bufferViews": [
            { "buffer": 0, "byteOffset": 0, "byteLength": 48 },
            { "buffer": 0, "byteOffset": 48, "byteLength": 48 },
            { "buffer": 0, "byteOffset": 96, "byteLength": 32 },
            { "buffer": 0, "byteOffset": 128, "byteLength": 12 },
            { "buffer": 0, "byteOffset": image_at, "byteLength": encoded.len() },
        ],
        "buffers": [{ "byteLength": buffer.len() }],
    });
    if texture == image::ImageFormat::WebP {
        for key in ["extensionsUsed", "extensionsRequired"] {
            document[key] = json!([WEBP]);
        }
        document["textures"] = json!([{ "extensions": { WEBP: { "source": 0 } } }]);
    }
    packed(&document, &buffer)
}

pub(crate) fn packed(document: &serde_json::Value, buffer: &[u8]) -> Vec<u8> {
    let mut text = document.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let length = 28 + text.len() + buffer.len();
    let mut out = b"glTF".to_vec();
    for number in [2, length, text.len()] {
        out.extend(short(number));
    }
    out.extend(b"JSON");
    out.extend(text);
    out.extend(short(buffer.len()));
    out.extend(b"BIN\0");
    out.extend(buffer);
    out
}

/// The GLB with one value of its JSON changed.
pub(crate) fn with(glb: &[u8], pointer: &str, value: serde_json::Value) -> Vec<u8> {
    let text = u32::from_le_bytes(glb[12..16].try_into().expect("four bytes")) as usize;
    let mut document: serde_json::Value = serde_json::from_slice(&glb[20..20 + text]).expect("its JSON");
    *document.pointer_mut(pointer).expect("it has one") = value;
    packed(&document, &glb[28 + text..])
}

fn short(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a small GLB").to_le_bytes()
}

/// A cube of twice the unit from 0, 0, 0, each side a part of the texture: red where x is 0, blue everywhere else.
pub(crate) fn cube() -> Vec<u8> {
    let mut positions: Vec<[f32; 3]> = Vec::new();
    let mut uvs: Vec<[f32; 2]> = Vec::new();
    let mut indices: Vec<u16> = Vec::new();
    for axis in 0..3 {
        for side in [0.0, 2.0] {
            let first = u16::try_from(positions.len()).expect("24");
            for (a, b) in [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)] {
                let mut place = [0.0; 3];
                place[axis] = side;
                place[(axis + 1) % 3] = a;
                place[(axis + 2) % 3] = b;
                positions.push(place);
                uvs.push(if axis == 0 && side == 0.0 {
                    [0.25, 0.5]
                } else {
                    [0.75, 0.5]
                });
            }
            indices.extend([0, 1, 2, 0, 2, 3].map(|corner| first + corner));
        }
    }
    mesh_glb(&positions, &uvs, &indices)
}

/// A GLB of these triangles with a texture of 16 × 8, red at the left and blue at the right.
pub(crate) fn mesh_glb(positions: &[[f32; 3]], uvs: &[[f32; 2]], indices: &[u16]) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(16, 8, |x, _| {
        image::Rgb(if x < 8 { [250, 10, 10] } else { [10, 10, 250] })
    });
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, image::ImageFormat::Png)
        .expect("memory takes everything");
    let floats = positions.iter().flatten().chain(uvs.iter().flatten());
    let mut buffer: Vec<u8> = floats.flat_map(|value| value.to_le_bytes()).collect();
    let (uvs_at, indices_at) = (positions.len() * 12, buffer.len());
    buffer.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
    let image_at = buffer.len();
    buffer.extend(png.get_ref());
    buffer.resize(buffer.len().next_multiple_of(4), 0);
    packed(
        &json!({
            "asset": { "version": "2.0" },
            "scene": 0,
            "scenes": [{ "nodes": [0] }],
            "nodes": [{ "mesh": 0 }],
            "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0, "TEXCOORD_0": 1 }, "indices": 2, "material": 0 }] }],
            "materials": [{ "pbrMetallicRoughness": { "baseColorTexture": { "index": 0 } } }],
            "textures": [{ "source": 0 }],
            "images": [{ "bufferView": 3, "mimeType": "image/png" }],
            "accessors": [
                { "bufferView": 0, "componentType": 5126, "count": positions.len(), "type": "VEC3", "min": [0, 0, 0], "max": [2, 2, 2] },
                { "bufferView": 1, "componentType": 5126, "count": uvs.len(), "type": "VEC2" },
                { "bufferView": 2, "componentType": 5123, "count": indices.len(), "type": "SCALAR" },
            ],
            "bufferViews": [
                { "buffer": 0, "byteOffset": 0, "byteLength": uvs_at },
                { "buffer": 0, "byteOffset": uvs_at, "byteLength": indices_at - uvs_at },
                { "buffer": 0, "byteOffset": indices_at, "byteLength": image_at - indices_at },
                { "buffer": 0, "byteOffset": image_at, "byteLength": png.get_ref().len() },
            ],
            "buffers": [{ "byteLength": buffer.len() }],
        }),
        &buffer,
    )
}
