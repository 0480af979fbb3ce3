//! From a finished GLB to what it cannot be used as: Wavefront OBJ ([`obj`]), voxels ([`voxels`]) and bare lists of
//! vertices with colours ([`mesh`]).
//!
//! Made from the GLB, so that each shows what the GLB shows, whichever backend made it. Synchronous; the same GLB
//! gives the same bytes. Not here: animations, skins and textures beside the base colour, which no backend makes.
//!
//! # Panics
//! Where the GLB's JSON names parts that are not there, the reader (gltf 1.4) panics rather than answers: call
//! the functions on a thread whose end is looked at.

mod bundle;
mod colour;
mod error;
mod grid;
mod mesh;
mod palette;
mod scene;
mod text;
mod vox;

pub use bundle::{Bundle, File};
pub use error::ConvertError;
pub use mesh::Mesh;
pub use text::STEM;

/// What a file says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// What the object is called. In an OBJ, blanks become `_`, because readers of OBJ split at them.
    pub name: &'a str,
    /// One line of comment on top of each text file.
    pub about: &'a str,
}

/// Converts a GLB to the files `model.obj`, `model.mtl` and `model.texture.png`: the same axes (Y up), size, texture
/// coordinates and normals.
pub fn obj(glb: &[u8], label: Label<'_>) -> Result<Bundle, ConvertError> {
    let scene = scene::read(glb)?;
    let mut files = vec![
        File::new("obj", text::obj(&scene, label).into_bytes()),
        File::new("mtl", text::mtl(&scene, label).into_bytes()),
    ];
    for (index, texture) in scene.textures.into_iter().enumerate() {
        files.push(File::new(&text::texture_ending(index), colour::png(texture)?));
    }
    Ok(Bundle { files })
}

/// Converts a GLB to a MagicaVoxel `.vox` file: the voxels that its surface passes through and those inside, `resolution`
/// (1 to 256) of them along the longest side, Z up, in 255 colours at most.
pub fn voxels(glb: &[u8], resolution: u32, label: Label<'_>) -> Result<Vec<u8>, ConvertError> {
    let scene = scene::read(glb)?;
    let grid = grid::fill(&scene, &colour::textures(&scene)?, resolution.clamp(1, 256))?;
    vox::write(&grid, label.name)
}

/// Reads the triangles of a GLB with a colour and a normal at each vertex.
pub fn mesh(glb: &[u8]) -> Result<Mesh, ConvertError> {
    let scene = scene::read(glb)?;
    Ok(Mesh::of(&scene, &colour::textures(&scene)?))
}
