//! A GLB made here, converted and read back by `tobj`, which is not ours.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor};

use serde_json::json;
use trellis_convert::{Bundle, ConvertError, File, Label, mesh, obj, ply, stl, voxels};

const LABEL: Label<'static> = Label {
    name: "my chair (preview, not TRELLIS)",
    about: "a preview from the outline, not TRELLIS",
};

const WEBP: &str = "EXT_texture_webp";

/// A square of two triangles, red at the left and blue at the right, in a node that is moved up by 2.
fn glb(texture: image::ImageFormat, with_normals: bool) -> Vec<u8> {
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

fn packed(document: &serde_json::Value, buffer: &[u8]) -> Vec<u8> {
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
fn with(glb: &[u8], pointer: &str, value: serde_json::Value) -> Vec<u8> {
    let text = u32::from_le_bytes(glb[12..16].try_into().expect("four bytes")) as usize;
    let mut document: serde_json::Value = serde_json::from_slice(&glb[20..20 + text]).expect("its JSON");
    *document.pointer_mut(pointer).expect("it has one") = value;
    packed(&document, &glb[28 + text..])
}

fn short(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a small GLB").to_le_bytes()
}

/// Reads the files as another program would, each reference by its name.
fn read(bundle: &Bundle) -> (tobj::Model, tobj::Material, image::RgbImage) {
    let files: BTreeMap<&str, &[u8]> = bundle
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.bytes.as_slice()))
        .collect();
    let options = tobj::LoadOptions {
        single_index: true,
        ..tobj::LoadOptions::default()
    };
    let mut obj = BufReader::new(bundle.files[0].bytes.as_slice());
    let (models, materials) = tobj::load_obj_buf(&mut obj, &options, |path| {
        let text = files
            .get(path.to_str().expect("UTF-8"))
            .expect("the MTL that is named is there");
        tobj::load_mtl_buf(&mut BufReader::new(*text))
    })
    .expect("tobj reads it");
    let material = materials.expect("tobj reads the MTL").remove(0);
    let texture = material.diffuse_texture.clone().expect("a texture is named");
    let texture = image::load_from_memory_with_format(files[texture.as_str()], image::ImageFormat::Png);
    (
        models.into_iter().next().expect("a model"),
        material,
        texture.expect("a PNG").to_rgb8(),
    )
}

#[test]
fn another_reader_finds_the_same_mesh_material_and_texture() {
    for format in [
        image::ImageFormat::Png,
        image::ImageFormat::Jpeg,
        image::ImageFormat::WebP,
    ] {
        for with_normals in [true, false] {
            let bundle = obj(&glb(format, with_normals), LABEL).unwrap();
            let (model, material, texture) = read(&bundle);
            assert_eq!(model.mesh.indices, [0, 1, 2, 0, 2, 3]);
            // Moved up by the node above; still Y up.
            let places = [0.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.1, 0.0, 0.0, 2.1, 0.0];
            assert_eq!(model.mesh.positions, places);
            assert_eq!(model.mesh.normals, [[0.0, 0.0, 1.0]; 4].concat());
            // OBJ counts from the bottom, glTF from the top.
            assert_eq!(model.mesh.texcoords, [0.0, 0.0, 1.0, 0.0, 1.0, 0.75, 0.0, 0.75]);
            assert_eq!(model.mesh.material_id, Some(0));
            assert_eq!(model.name, "my_chair_(preview,_not_TRELLIS)");
            assert_eq!(material.name, "my_chair_(preview,_not_TRELLIS)");
            assert_eq!(texture.dimensions(), (16, 8));
            assert!(texture[(1, 1)][0] > 200 && texture[(14, 1)][2] > 200);
        }
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
fn the_text_says_what_it_is() {
    let bundle = obj(&glb(image::ImageFormat::Png, true), LABEL).unwrap();
    for file in &bundle.files[..2] {
        assert!(
            file.bytes
                .starts_with(b"# my chair (preview, not TRELLIS): a preview from the outline")
        );
    }
}

#[test]
fn a_zip_holds_the_same_files_and_is_the_same_each_time() {
    let bundle = obj(&glb(image::ImageFormat::Png, true), LABEL).unwrap();
    let zip = bundle.to_zip().unwrap();
    assert_eq!(zip, bundle.to_zip().unwrap());
    let read = Bundle::from_zip(&zip).unwrap();
    assert_eq!(read, bundle);
    let names: Vec<&str> = read.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["model.obj", "model.mtl", "model.texture.png"]);
}

#[test]
fn under_another_name_the_files_still_find_each_other() {
    let bundle = obj(&glb(image::ImageFormat::Png, true), LABEL)
        .unwrap()
        .renamed("my chair");
    let names: Vec<&str> = bundle.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["my chair.obj", "my_chair.mtl", "my_chair.texture.png"]);
    read(&bundle);
}

#[test]
fn refuses_a_zip_that_would_write_elsewhere() {
    for name in [
        "../model.obj",
        "model.obj/../x",
        "/model.obj",
        "model.texture/../../x.png",
        "other.obj",
    ] {
        let bundle = Bundle {
            files: vec![File {
                name: name.to_owned(),
                bytes: vec![],
            }],
        };
        let zip = bundle.to_zip().unwrap();
        assert!(
            matches!(Bundle::from_zip(&zip), Err(ConvertError::Foreign { .. })),
            "{name}"
        );
    }
    assert!(matches!(
        Bundle::from_zip(b"no zip"),
        Err(ConvertError::Zip { .. })
    ));
}

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
fn a_texture_without_a_picture_is_an_error() {
    let whole = glb(image::ImageFormat::WebP, true);
    for extension in [json!({}), json!({ WEBP: {} }), json!({ WEBP: { "source": 9 } })] {
        let converted = obj(
            &with(&whole, "/textures/0", json!({ "extensions": extension })),
            LABEL,
        );
        assert!(
            matches!(converted, Err(ConvertError::Missing { what: "a texture" })),
            "{converted:?}"
        );
    }
}

/// A cube of twice the unit from 0, 0, 0, each side a part of the texture: red where x is 0, blue everywhere else.
fn cube() -> Vec<u8> {
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
fn mesh_glb(positions: &[[f32; 3]], uvs: &[[f32; 2]], indices: &[u16]) -> Vec<u8> {
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

#[test]
fn a_closed_surface_becomes_a_solid_of_voxels_in_its_colours() {
    for resolution in [16, 50] {
        let file = voxels(&cube(), resolution, LABEL).unwrap();
        let read = dot_vox::load_bytes(&file).expect("another reader reads it");
        let [model] = read.models.as_slice() else {
            panic!("one model")
        };
        assert_eq!(
            (model.size.x, model.size.y, model.size.z),
            (resolution, resolution, resolution)
        );
        assert_eq!(
            model.voxels.len(),
            (resolution as usize).pow(3),
            "nothing is hollow"
        );
        let colour_at = |x: u32, y: u32, z: u32| {
            let found = model
                .voxels
                .iter()
                .find(|voxel| (u32::from(voxel.x), u32::from(voxel.y), u32::from(voxel.z)) == (x, y, z));
            read.palette[usize::from(found.expect("a voxel").i)]
        };
        let middle = resolution / 2;
        let left = colour_at(0, middle, middle);
        let right = colour_at(resolution - 1, middle, middle);
        assert!(left.r == 250 && left.b == 10 && left.a == 255, "{left:?}");
        assert!(right.r == 10 && right.b == 250, "{right:?}");
        // Inside, what is nearest counts.
        assert_eq!(colour_at(2, middle, middle).r, 250);
        assert_eq!(colour_at(resolution - 3, middle, middle).b, 250);
        let name = read.scenes.iter().find_map(|node| match node {
            dot_vox::SceneNode::Transform { attributes, .. } => attributes.get("_name"),
            _ => None,
        });
        assert_eq!(name.map(String::as_str), Some(LABEL.name));
    }
}

#[test]
fn voxels_stand_as_the_object_does() {
    // Up is y in a GLB and z there; what is nearest to the viewer, at the largest z, has the least y there.
    let positions = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.5]];
    let file = voxels(
        &mesh_glb(&positions, &[[0.25, 0.5]; 4], &[0, 1, 2, 0, 3, 1]),
        16,
        LABEL,
    )
    .unwrap();
    let read = dot_vox::load_bytes(&file).unwrap();
    let model = &read.models[0];
    assert_eq!((model.size.x, model.size.y, model.size.z), (8, 4, 16));
    let has = |x: u8, y: u8, z: u8| {
        model
            .voxels
            .iter()
            .any(|voxel| (voxel.x, voxel.y, voxel.z) == (x, y, z))
    };
    assert!(has(0, 3, 15), "the top is far away and up");
    assert!(has(0, 0, 0), "the nearest is at the front and down");
    assert!(!has(7, 3, 15) && !has(0, 0, 15));
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
