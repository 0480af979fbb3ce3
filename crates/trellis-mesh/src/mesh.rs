//! Triangles as they are handed to whoever textures them.

/// The triangles of a file, every part in its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// Places, in the file's own units and axes; Y is taken for up.
    pub vertices: Vec<[f32; 3]>,
    /// Three vertices each, counter-clockwise seen from outside.
    pub triangles: Vec<[u32; 3]>,
    /// A direction at each vertex; empty where not every part has them.
    pub normals: Vec<[f32; 3]>,
    /// Places in a texture at each vertex, V up; empty where not every part has them.
    pub uvs: Vec<[f32; 2]>,
}

impl Mesh {
    /// Adds a part. Normals and places in a texture stay only while all parts have them.
    pub(crate) fn add(&mut self, part: Self) {
        let is_first = self.vertices.is_empty();
        let first = u32::try_from(self.vertices.len()).unwrap_or(u32::MAX);
        join(&mut self.normals, part.normals, is_first, part.vertices.len());
        join(&mut self.uvs, part.uvs, is_first, part.vertices.len());
        self.vertices.extend(part.vertices);
        let triangles = part.triangles.into_iter();
        // What goes beyond is refused by the check of the whole.
        self.triangles
            .extend(triangles.map(|corners| corners.map(|vertex| first.saturating_add(vertex))));
    }
}

/// `of_part` is what a part of so many vertices has.
fn join<T>(whole: &mut Vec<T>, of_part: Vec<T>, is_first: bool, vertices: usize) {
    if of_part.len() == vertices && (is_first || !whole.is_empty()) {
        whole.extend(of_part);
    } else {
        whole.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(normals: bool) -> Mesh {
        Mesh {
            vertices: vec![[0.0; 3]; 3],
            triangles: vec![[0, 1, 2]],
            normals: if normals {
                vec![[0.0, 1.0, 0.0]; 3]
            } else {
                Vec::new()
            },
            uvs: vec![[0.5; 2]; 3],
        }
    }

    #[test]
    fn what_not_every_part_has_is_left_out() {
        for (parts, normals) in [([true, true], 6), ([true, false], 0), ([false, true], 0)] {
            let mut mesh = Mesh::default();
            for has in parts {
                mesh.add(part(has));
            }
            assert_eq!((mesh.normals.len(), mesh.uvs.len()), (normals, 6), "{parts:?}");
            assert_eq!(mesh.triangles, [[0, 1, 2], [3, 4, 5]]);
        }
    }
}
