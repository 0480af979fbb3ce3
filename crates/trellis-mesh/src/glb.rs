//! The triangles of a GLB, every node in its place.
//!
//! Source: glTF 2.0 specification, sections 3.5 to 3.7. Skins and morph targets are left as they rest.

use gltf::Semantic;
use gltf::json::validation::Checked::Valid;
use gltf::mesh::Mode;
use trellis_core::MeshFormat;

use crate::check::MOST_PARTS;
use crate::nodes::{Matrix, NotATree, Shown, mirrors, normal, place, turn};
use crate::{Limits, Mesh, MeshError};

const FORMAT: MeshFormat = MeshFormat::Glb;
/// Beginnings of extensions that change how a surface looks, and not where it is.
const OF_SURFACES: [&str; 6] = [
    "KHR_materials_",
    "KHR_texture_",
    "EXT_texture_",
    "MSFT_texture_",
    "KHR_lights_",
    "KHR_xmp",
];

pub(crate) fn read(glb: &[u8], limits: Limits) -> Result<Mesh, MeshError> {
    let parts = gltf::Glb::from_slice(glb).map_err(|_| damaged("its parts do not fit its length"))?;
    let mut root: gltf::json::Root = gltf::json::deserialize::from_slice(&parts.json)
        .map_err(|_| damaged("its JSON is not valid glTF"))?;
    root.extensions_required
        .retain(|name| !OF_SURFACES.iter().any(|beginning| name.starts_with(beginning)));
    if let Some(name) = root.extensions_required.first() {
        let name: String = name.chars().take(64).collect();
        return Err(unread(format!(
            "needs the glTF extension `{name}`, which is not supported"
        )));
    }
    // Only these are read. The library refuses those that an application adds, and each would be looked at in every node.
    for primitive in root.meshes.iter_mut().flat_map(|mesh| &mut mesh.primitives) {
        primitive.attributes.retain(|name, _| {
            matches!(
                name,
                Valid(Semantic::Positions | Semantic::Normals | Semantic::TexCoords(0))
            )
        });
        primitive.targets = None;
    }
    let document = gltf::Document::from_json(root).map_err(|_| damaged("its JSON is not valid glTF"))?;
    if document
        .buffers()
        .any(|buffer| matches!(buffer.source(), gltf::buffer::Source::Uri(_)))
    {
        return Err(unread("keeps its data in other files".to_owned()));
    }
    let buffer = parts.bin.as_deref().unwrap_or_default();
    let mut mesh = Mesh::default();
    let mut parts_left = MOST_PARTS;
    for node in Shown::of(&document) {
        let (node, by) = node.map_err(|NotATree| damaged("its nodes are not a tree"))?;
        for primitive in node.mesh().iter().flat_map(gltf::Mesh::primitives) {
            parts_left = parts_left
                .checked_sub(1)
                .ok_or_else(|| unread(format!("has more than {MOST_PARTS} parts")))?;
            if let Some(part) = part(&primitive, by, buffer, limits)? {
                mesh.add(part);
                limits.allow(mesh.vertices.len(), mesh.triangles.len())?;
            }
        }
    }
    Ok(mesh)
}

/// The triangles of a primitive; `None` for points and lines.
fn part(
    primitive: &gltf::Primitive<'_>,
    by: Matrix,
    buffer: &[u8],
    limits: Limits,
) -> Result<Option<Mesh>, MeshError> {
    if !matches!(
        primitive.mode(),
        Mode::Triangles | Mode::TriangleStrip | Mode::TriangleFan
    ) {
        return Ok(None);
    }
    // A count of an accessor without data costs its writer nothing.
    let counts = primitive
        .indices()
        .into_iter()
        .chain(primitive.attributes().map(|(_, accessor)| accessor));
    for accessor in counts {
        limits.allow(0, accessor.count() / 3)?;
    }
    let reader = primitive.reader(|_| Some(buffer));
    let positions = reader
        .read_positions()
        .ok_or_else(|| damaged("it has no data for positions"))?;
    let vertices: Vec<[f32; 3]> = positions.map(|point| place(by, point)).collect();
    let indices: Vec<u32> = match reader.read_indices() {
        Some(indices) => indices.into_u32().collect(),
        None => (0..).take(vertices.len()).collect(),
    };
    // The reader stops at the end of the data, without a word.
    let expected = primitive
        .indices()
        .map_or(vertices.len(), |indices| indices.count());
    let positions = primitive.get(&Semantic::Positions);
    if indices.len() != expected || positions.is_some_and(|accessor| accessor.count() != vertices.len()) {
        return Err(damaged("an accessor goes beyond its data"));
    }
    let mut triangles = triangles(primitive.mode(), &indices);
    if mirrors(by) {
        turn(&mut triangles);
    }
    let normals = reader.read_normals().into_iter().flatten();
    let uvs = reader.read_tex_coords(0);
    let uvs = uvs
        .into_iter()
        .flat_map(gltf::mesh::util::ReadTexCoords::into_f32);
    Ok(Some(Mesh {
        vertices,
        triangles,
        normals: normals.map(|direction| normal(by, direction)).collect(),
        // From the top left in glTF.
        uvs: uvs.map(|[u, v]| [u, 1.0 - v]).collect(),
    }))
}

fn triangles(mode: Mode, indices: &[u32]) -> Vec<[u32; 3]> {
    match mode {
        Mode::TriangleStrip => {
            let turned = |(number, corners): (usize, &[u32])| match corners {
                [a, b, c] if number % 2 == 1 => [*b, *a, *c],
                [a, b, c] => [*a, *b, *c],
                _ => [0; 3],
            };
            indices.windows(3).enumerate().map(turned).collect()
        }
        Mode::TriangleFan => {
            let first = indices.first().copied().unwrap_or_default();
            let rest = indices.get(1..).unwrap_or_default();
            rest.windows(2).map(|pair| [first, pair[0], pair[1]]).collect()
        }
        _ => indices.as_chunks::<3>().0.to_vec(),
    }
}

fn damaged(why: &'static str) -> MeshError {
    MeshError::Damaged { format: FORMAT, why }
}

fn unread(what: String) -> MeshError {
    MeshError::UnreadForm { format: FORMAT, what }
}
