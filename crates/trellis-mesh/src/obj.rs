//! The triangles of an OBJ; its materials are not read.

use std::io::BufReader;

use tobj::{LoadError, LoadOptions};
use trellis_core::MeshFormat;

use crate::check::MOST_PARTS;
use crate::{Limits, Mesh, MeshError};

/// Polygons become triangles; a vertex is one for each pair of place, texture coordinate and normal.
const OPTIONS: LoadOptions = LoadOptions {
    single_index: true,
    triangulate: true,
    ignore_points: true,
    ignore_lines: true,
};

pub(crate) fn read(obj: &[u8], limits: Limits) -> Result<Mesh, MeshError> {
    allow(obj, limits)?;
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

/// Refuses too many vertices or corners before they are read: in memory they take many times their size in the file.
fn allow(obj: &[u8], limits: Limits) -> Result<(), MeshError> {
    let (mut vertices, mut triangles, mut parts) = (0, 0, 0);
    for line in obj.split(|byte| *byte == b'\n') {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        match words.next() {
            Some(b"v" | b"vt" | b"vn") => vertices += 1,
            // A polygon of n corners becomes n - 2 triangles. Lines take as much while they are read.
            Some(b"f" | b"l") => triangles += words.count().saturating_sub(2).max(1),
            Some(b"o" | b"g" | b"usemtl") => parts += 1,
            _ => {}
        }
    }
    if parts > MOST_PARTS {
        return Err(MeshError::UnreadForm {
            format: MeshFormat::Obj,
            what: format!("has more than {MOST_PARTS} parts"),
        });
    }
    // Each vertex may have a texture coordinate and a normal of its own.
    limits.allow(vertices / 3, triangles)
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
            "a face refers to a vertex, normal or texture coordinate that does not exist"
        }
        LoadError::ReadError => "a line is not text in UTF-8",
        _ => "it cannot be read",
    }
}
