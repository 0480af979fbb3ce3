//! Binary glTF 2.0: one mesh, one material, and one texture where the model has one, all in one file.
//!
//! ```text
//! "glTF" 2 length │ length "JSON" text, padded by spaces │ length "BIN\0" buffer, padded by zeros
//! buffer: positions │ normals │ indices │ texture coordinates │ JPEG
//! ```
//! Source: the Khronos glTF 2.0 specification, chapters 3 to 5.

use serde_json::{Value, json};
use trellis_core::AssetName;

use crate::error::ReliefError;
use crate::generate::labelled;
use crate::model::Model;
use crate::solid::Solid;
use crate::texture::Texture;
use crate::{DESCRIPTION, LABEL, NAME};

const FLOAT: u32 = 5126;
const UNSIGNED_SHORT: u32 = 5123;
const UNSIGNED_INT: u32 = 5125;
const ARRAY_BUFFER: u32 = 34962;
const ELEMENT_ARRAY_BUFFER: u32 = 34963;
const CLAMP_TO_EDGE: u32 = 33071;
const LINEAR: u32 = 9729;
const LINEAR_MIPMAP_LINEAR: u32 = 9987;

/// How rough the surface is: a picture has its lights painted in already, so hardly any are added.
const ROUGHNESS: f64 = 0.9;

pub(crate) fn glb(model: &Model, name: &AssetName) -> Result<Vec<u8>, ReliefError> {
    let mut buffer = Buffer::default();
    let solid = &model.solid;
    buffer.push(floats(solid.positions.iter().flatten()), Some(ARRAY_BUFFER));
    buffer.push(floats(solid.normals.iter().flatten()), Some(ARRAY_BUFFER));
    let (component, indices) = indices(solid);
    buffer.push(indices, Some(ELEMENT_ARRAY_BUFFER));
    let name = labelled(name);
    // Programs drop `asset` when they save a file again; they keep the extras and names of what is in it.
    let extras = json!({ "made_by": format!("trellis-server {NAME}"), "label": LABEL });
    let mut document = json!({
        "asset": {
            "version": "2.0",
            "generator": format!("trellis-server {NAME} {}", env!("CARGO_PKG_VERSION")),
            // What it was made of is added by who knows it: `asset.extras.provenance`.
            "extras": { "description": DESCRIPTION },
        },
        "scene": 0,
        "scenes": [{ "name": name, "nodes": [0], "extras": extras }],
        "nodes": [{ "name": name, "mesh": 0, "extras": extras }],
        "meshes": [{
            "name": name,
            "extras": extras,
            "primitives": [{
                "attributes": { "POSITION": 0, "NORMAL": 1 },
                "indices": 2,
                "material": 0,
            }],
        }],
        "materials": [{
            "name": name,
            "extras": extras,
            "pbrMetallicRoughness": {
                "metallicFactor": 0.0,
                "roughnessFactor": ROUGHNESS,
            },
            "doubleSided": false,
        }],
        "accessors": accessors(solid, component),
    });
    if let Some(texture) = &model.texture {
        buffer.push(floats(solid.uvs.iter().flatten()), Some(ARRAY_BUFFER));
        buffer.push(texture.encoded()?, None);
        paint(&mut document, solid, &name);
    }
    document["bufferViews"] = buffer.views.into();
    document["buffers"] = json!([{ "byteLength": buffer.bytes.len() }]);
    Ok(chunks(document.to_string().into_bytes(), buffer.bytes))
}

/// Gives the mesh its texture: the views 3 and 4 of the buffer.
fn paint(document: &mut Value, solid: &Solid, name: &str) {
    let coordinates =
        json!({ "bufferView": 3, "componentType": FLOAT, "count": solid.uvs.len(), "type": "VEC2" });
    if let Some(accessors) = document["accessors"].as_array_mut() {
        accessors.push(coordinates);
    }
    document["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = json!(3);
    document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] = json!({ "index": 0 });
    document["textures"] = json!([{ "sampler": 0, "source": 0 }]);
    document["samplers"] = json!([{
        "magFilter": LINEAR,
        "minFilter": LINEAR_MIPMAP_LINEAR,
        "wrapS": CLAMP_TO_EDGE,
        "wrapT": CLAMP_TO_EDGE,
    }]);
    document["images"] = json!([{ "name": name, "bufferView": 4, "mimeType": Texture::MEDIA_TYPE }]);
}

fn accessors(solid: &Solid, component: u32) -> Value {
    let vertices = solid.positions.len();
    let bound = |pick: fn(f32, f32) -> f32, start: f32| {
        [0, 1, 2].map(|axis| {
            solid
                .positions
                .iter()
                .fold(start, |bound, position| pick(bound, position[axis]))
        })
    };
    json!([
        {
            "bufferView": 0, "componentType": FLOAT, "count": vertices, "type": "VEC3",
            "min": bound(f32::min, f32::INFINITY), "max": bound(f32::max, f32::NEG_INFINITY),
        },
        { "bufferView": 1, "componentType": FLOAT, "count": vertices, "type": "VEC3" },
        { "bufferView": 2, "componentType": component, "count": 3 * solid.triangles.len(), "type": "SCALAR" },
    ])
}

/// The buffer and its views; each view starts at a multiple of four bytes.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    views: Vec<Value>,
}

impl Buffer {
    fn push(&mut self, bytes: Vec<u8>, target: Option<u32>) {
        let mut view = json!({ "buffer": 0, "byteOffset": self.bytes.len(), "byteLength": bytes.len() });
        if let Some(target) = target {
            view["target"] = json!(target);
        }
        self.views.push(view);
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn floats<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<u8> {
    values.flat_map(|value| value.to_le_bytes()).collect()
}

/// The indices in the smallest type that holds them; 65535 itself is reserved.
fn indices(solid: &Solid) -> (u32, Vec<u8>) {
    let all = solid.triangles.iter().flatten();
    if solid.positions.len() < usize::from(u16::MAX) {
        return (
            UNSIGNED_SHORT,
            all.flat_map(|vertex| (*vertex as u16).to_le_bytes()).collect(),
        );
    }
    (
        UNSIGNED_INT,
        all.flat_map(|vertex| vertex.to_le_bytes()).collect(),
    )
}

fn chunks(mut text: Vec<u8>, buffer: Vec<u8>) -> Vec<u8> {
    text.resize(text.len().next_multiple_of(4), b' ');
    let length = 12 + 8 + text.len() + 8 + buffer.len();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(b"glTF");
    for number in [2, length as u32, text.len() as u32] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(b"JSON");
    out.extend(text);
    out.extend_from_slice(&(buffer.len() as u32).to_le_bytes());
    out.extend_from_slice(b"BIN\0");
    out.extend(buffer);
    out
}
