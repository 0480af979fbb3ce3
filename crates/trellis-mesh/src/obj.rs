//! The triangles of an OBJ; its materials are not read.

use std::io::BufReader;

use tobj::{LoadError, LoadOptions};
use trellis_core::MeshFormat;

use crate::{Limits, Mesh, MeshError};

/// Polygons become triangles; a vertex is one for each pair of place, texture coordinate and normal.
const OPTIONS: LoadOptions = LoadOptions {
    single_index: true,
    triangulate: true,
    ignore_points: true,
    ignore_lines: true,
    ..tobj::OFFLINE_RENDERING_LOAD_OPTIONS
};

pub(crate) fn read(obj: &[u8], limits: Limits) -> Result<Mesh, MeshError> {
    let no_materials = |_: &std::path::Path| Err(LoadError::OpenFileFailed);
    let loaded = tobj::load_obj_buf(&mut BufReader::new(obj), &OPTIONS, no_materials);
    let (models, _) = loaded.map_err(|error| MeshError::Damaged {
        format: MeshFormat::Obj,
        why: why(error),
    })?;
    let mut mesh = Mesh::default();
    for model in models {
        let of = model.mesh;
        let vertices = of.positions.as_chunks::<3>().0.to_vec();
        if of.indices.is_empty() {
            continue;
        }
        mesh.add(Mesh {
            triangles: of.indices.as_chunks::<3>().0.to_vec(),
            normals: of.normals.as_chunks::<3>().0.to_vec(),
            uvs: of.texcoords.as_chunks::<2>().0.to_vec(),
            vertices,
        });
        limits.allow(mesh.vertices.len(), mesh.triangles.len())?;
    }
    Ok(mesh)
}

fn why(error: LoadError) -> &'static str {
    match error {
        LoadError::PositionParseError => "a vertex is not three numbers",
        LoadError::NormalParseError => "a normal is not three numbers",
        LoadError::TexcoordParseError => "a texture coordinate is not two numbers",
        LoadError::FaceParseError => "a face is not a list of vertices",
        LoadError::FaceVertexOutOfBounds
        | LoadError::FaceTexCoordOutOfBounds
        | LoadError::FaceNormalOutOfBounds
        | LoadError::FaceColorOutOfBounds => {
            "a face names a vertex, normal or texture coordinate that does not exist"
        }
        LoadError::ReadError => "a line is not text in UTF-8",
        _ => "it cannot be read",
    }
}
