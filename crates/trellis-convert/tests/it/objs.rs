//! OBJs, read back by `tobj`, which is not ours.

use std::collections::BTreeMap;
use std::io::BufReader;

use serde_json::json;
use trellis_convert::{Bundle, ConvertError, File, obj};

use crate::glbs::{LABEL, WEBP, glb, with};

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
