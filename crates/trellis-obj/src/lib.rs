//! From a finished GLB to Wavefront OBJ: the mesh, its MTL and its texture as PNG, one by one or in a zip.
//!
//! Made from the GLB, so that an OBJ shows what the GLB shows, whichever backend made it: the same axes
//! (Y up), size, texture coordinates and normals. Synchronous; the same GLB gives the same bytes.
//! Not here: animations, skins and further textures, which no backend makes.

mod bundle;
mod error;
mod scene;
mod text;

pub use bundle::{Bundle, File};
pub use error::ObjError;
pub use text::STEM;

/// What an OBJ says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// What object and material are called; blanks become `_`, because readers of OBJ split at them.
    pub name: &'a str,
    /// One line of comment on top of each text file.
    pub about: &'a str,
}

/// Converts a GLB to the files `model.obj`, `model.mtl` and `model.texture.png`.
///
/// # Panics
/// Where the GLB's JSON names parts that are not there, the reader (gltf 1.4) panics rather than answers: call
/// this on a thread whose end is looked at.
pub fn convert(glb: &[u8], label: Label<'_>) -> Result<Bundle, ObjError> {
    let scene = scene::read(glb)?;
    let mut files = vec![
        File::new("obj", text::obj(&scene, label).into_bytes()),
        File::new("mtl", text::mtl(&scene, label).into_bytes()),
    ];
    for (index, texture) in scene.textures.into_iter().enumerate() {
        files.push(File::new(&text::texture_ending(index), texture));
    }
    Ok(Bundle { files })
}
