//! Reads the meshes and materials of a GLB, every node in its place.

use std::collections::HashMap;

use gltf::image::Source;
use gltf::mesh::Mode;
use trellis_mesh::nodes::{self, Matrix, NotATree, Shown};

use crate::ConvertError;

/// What the other formats can hold of a GLB.
pub(crate) struct Scene {
    pub(crate) parts: Vec<Part>,
    /// Those of the parts, in the GLB's order.
    pub(crate) materials: Vec<Material>,
    /// Encoded pictures, as they are in the GLB.
    pub(crate) textures: Vec<Vec<u8>>,
}

/// Triangles of one material.
pub(crate) struct Part {
    pub(crate) positions: Vec<[f32; 3]>,
    pub(crate) normals: Vec<[f32; 3]>,
    /// From the top left, as glTF has them; empty where there are none.
    pub(crate) uvs: Vec<[f32; 2]>,
    pub(crate) triangles: Vec<[u32; 3]>,
    pub(crate) material: Option<usize>,
}

/// A surface.
pub(crate) struct Material {
    /// Red, green, blue, opacity; the texture is multiplied by it.
    pub(crate) colour: [f32; 4],
    /// Which of the textures.
    pub(crate) texture: Option<usize>,
}

pub(crate) fn read(glb: &[u8]) -> Result<Scene, ConvertError> {
    let unreadable = |source| ConvertError::Glb {
        source: Box::new(source),
    };
    // Its buffer stays where it is: a large one should not be held twice.
    let parts = gltf::Glb::from_slice(glb).map_err(unreadable)?;
    let root = gltf::json::deserialize::from_slice(&parts.json);
    let root = root.map_err(|error| unreadable(gltf::Error::Deserialize(error)))?;
    let document = gltf::Document::from_json(root).map_err(unreadable)?;
    let buffer = parts.bin.as_deref().unwrap_or_default();
    let mut scene = Scene {
        parts: Vec::new(),
        materials: Vec::new(),
        textures: Vec::new(),
    };
    for node in Shown::of(&document) {
        let (node, by) = node.map_err(|NotATree| ConvertError::Missing {
            what: "a tree of nodes",
        })?;
        for primitive in node.mesh().iter().flat_map(gltf::Mesh::primitives) {
            scene.parts.extend(part(&primitive, by, buffer)?);
        }
    }
    if scene.parts.iter().all(|part| part.triangles.is_empty()) {
        return Err(ConvertError::Empty);
    }
    for material in document.materials() {
        let surface = material.pbr_metallic_roughness();
        let texture = surface.base_color_texture();
        let texture = texture
            .map(|texture| picture(&image(&document, &texture.texture())?, buffer))
            .transpose()?;
        scene.materials.push(Material {
            colour: surface.base_color_factor(),
            texture: texture.map(|picture| {
                scene.textures.push(picture);
                scene.textures.len() - 1
            }),
        });
    }
    Ok(scene)
}

/// The triangles of a primitive; `None` for points and lines.
fn part(primitive: &gltf::Primitive<'_>, by: Matrix, buffer: &[u8]) -> Result<Option<Part>, ConvertError> {
    if primitive.mode() != Mode::Triangles {
        return Ok(None);
    }
    let reader = primitive.reader(|_| Some(buffer));
    let positions = reader
        .read_positions()
        .ok_or(ConvertError::Missing { what: "positions" })?;
    let positions: Vec<[f32; 3]> = positions.map(|point| nodes::place(by, point)).collect();
    let count = positions.len();
    let indices: Vec<u32> = match reader.read_indices() {
        Some(indices) => indices.into_u32().collect(),
        None => (0..).take(count).collect(),
    };
    let mut triangles: Vec<[u32; 3]> = indices.as_chunks::<3>().0.to_vec();
    if nodes::mirrors(by) {
        nodes::turn(&mut triangles);
    }
    if triangles.iter().flatten().any(|vertex| *vertex as usize >= count) {
        return Err(ConvertError::Missing { what: "a vertex" });
    }
    let normals = match reader.read_normals() {
        Some(normals) => normals.map(|normal| unit(nodes::normal(by, normal))).collect(),
        None => smooth(&positions, &triangles),
    };
    let uvs = reader.read_tex_coords(0).map(|uvs| uvs.into_f32().collect());
    let part = Part {
        normals,
        uvs: uvs.unwrap_or_default(),
        positions,
        triangles,
        material: primitive.material().index(),
    };
    if part.normals.len() != count || !(part.uvs.is_empty() || part.uvs.len() == count) {
        return Err(ConvertError::Missing { what: "a vertex" });
    }
    Ok(Some(part))
}

/// Normals of a mesh that has none, as TRELLIS's: the mean of the triangles around, the larger ones weigh more.
/// Vertices in one place share theirs, or each seam of the texture would show as a crease.
fn smooth(positions: &[[f32; 3]], triangles: &[[u32; 3]]) -> Vec<[f32; 3]> {
    let (place_of, count) = places(positions);
    let mut normals = vec![[0.0_f32; 3]; count];
    for corners in triangles {
        let [first, second, third] = corners.map(|vertex| positions[vertex as usize]);
        let along = |to: [f32; 3]| [0, 1, 2].map(|axis| to[axis] - first[axis]);
        let (u, v) = (along(second), along(third));
        let cross = [
            u[1] * v[2] - u[2] * v[1],
            u[2] * v[0] - u[0] * v[2],
            u[0] * v[1] - u[1] * v[0],
        ];
        for vertex in corners {
            let place = place_of[*vertex as usize];
            for (sum, value) in normals[place].iter_mut().zip(cross) {
                *sum += value;
            }
        }
    }
    place_of.into_iter().map(|place| unit(normals[place])).collect()
}

/// For each vertex the number of its place, and how many there are, in the order of the first vertex in each.
pub(crate) fn places(positions: &[[f32; 3]]) -> (Vec<usize>, usize) {
    let mut places = HashMap::new();
    let place_of = positions
        .iter()
        .map(|position| {
            let next = places.len();
            // Zero has two signs.
            *places
                .entry(position.map(|value| (value + 0.0).to_bits()))
                .or_insert(next)
        })
        .collect();
    (place_of, places.len())
}

fn unit(vector: [f32; 3]) -> [f32; 3] {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    // One that is a unit already keeps its every bit.
    if length == 0.0 || (length - 1.0).abs() < 1e-6 {
        return vector;
    }
    vector.map(|value| value / length)
}

/// The picture of a texture, which may be WebP alone.
fn image<'a>(
    document: &'a gltf::Document,
    texture: &gltf::Texture<'a>,
) -> Result<gltf::Image<'a>, ConvertError> {
    let webp = texture.extension_value("EXT_texture_webp");
    let webp = webp.and_then(|extension| usize::try_from(extension.get("source")?.as_u64()?).ok());
    let image = match webp {
        Some(index) => document.images().nth(index),
        None => texture.source(),
    };
    image.ok_or(ConvertError::Missing { what: "a texture" })
}

/// The file of a texture.
fn picture(image: &gltf::Image<'_>, buffer: &[u8]) -> Result<Vec<u8>, ConvertError> {
    let missing = ConvertError::Missing { what: "a texture" };
    let Source::View { view, .. } = image.source() else {
        return Err(missing);
    };
    let bytes = buffer
        .get(view.offset()..)
        .and_then(|rest| rest.get(..view.length()));
    Ok(bytes.ok_or(missing)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seam_of_the_texture_is_no_crease() {
        // Two sides of a roof; the ridge from (0,1,0) to (0,1,1) is there twice, once for each side.
        let ridge = [[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]];
        let left = [ridge[0], [-1.0, 0.0, 0.0], ridge[1]];
        let right = [ridge[0], ridge[1], [1.0, -0.0, 0.0]];
        let positions = [left, right].concat();
        let normals = smooth(&positions, &[[0, 1, 2], [3, 4, 5]]);
        let bits = |vertex: usize| normals[vertex].map(f32::to_bits);
        assert_eq!((bits(0), bits(2)), (bits(3), bits(4)));
        let up = |normal: [f32; 3]| normal[1].abs() > 0.999;
        assert!(up(normals[0]) && !up(normals[1]), "{normals:?}");
    }
}
