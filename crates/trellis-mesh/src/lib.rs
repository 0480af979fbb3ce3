//! What an acceptable mesh is: its triangles are read from a GLB, an OBJ or a PLY, and checked.
//!
//! Bytes in, triangles out: no files, no network. A format is told by the content and never by a name or a media type
//! that somebody claims. Not here: materials, textures, skins and animations, which texturing a mesh replaces or drops.
//!
//! [`ply_header`] and [`nodes`] are also what the checks and conversions of results read with.

mod check;
mod error;
mod glb;
mod mesh;
pub mod nodes;
mod obj;
mod ply;
pub mod ply_header;
mod recognise;
mod safetensors;

pub use check::Limits;
pub use error::MeshError;
pub use mesh::Mesh;

use trellis_core::{MeshFormat, MeshInput};

/// What is known of a mesh once it was read.
pub fn probe(bytes: &[u8], limits: Limits) -> Result<MeshInput, MeshError> {
    let (format, mesh) = read(bytes, limits)?;
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Ok(MeshInput {
        format,
        vertices: count(mesh.vertices.len()),
        triangles: count(mesh.triangles.len()),
    })
}

/// Reads a mesh and checks it.
pub fn read(bytes: &[u8], limits: Limits) -> Result<(MeshFormat, Mesh), MeshError> {
    let format = recognise::format(bytes)?;
    // The readers of GLB and OBJ are other people's: one that meets what it was not made for may panic.
    let foreign = |reader: fn(&[u8], Limits) -> Result<Mesh, MeshError>| {
        let why = "it refers to data that does not exist";
        std::panic::catch_unwind(|| reader(bytes, limits)).unwrap_or(Err(MeshError::Damaged { format, why }))
    };
    let mesh = match format {
        MeshFormat::Glb => foreign(glb::read),
        MeshFormat::Obj => foreign(obj::read),
        MeshFormat::Ply => ply::read(bytes, limits),
    }?;
    check::check(format, &mesh, limits)?;
    Ok((format, mesh))
}
