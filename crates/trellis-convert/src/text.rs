//! The text of OBJ and MTL.
//!
//! ```text
//! v x y z │ vt u v, from the bottom left │ vn x y z │ f position/uv/normal three times, counted from 1
//! ```
//! Vertices of a part in one place share their `v`, or a seam of the texture would be an open edge to programs that
//! go by indices.
//!
//! Numbers have the fewest digits that still read as the same number.

use std::fmt::Write as _;

use crate::Label;
use crate::scene::{Part, Scene, places};

/// What the files are called before their endings.
pub const STEM: &str = "model";

pub(crate) fn obj(scene: &Scene, label: Label<'_>) -> String {
    let name = token(label.name);
    let mut text = comment(label);
    let _ = writeln!(text, "mtllib {STEM}.mtl\no {name}");
    let (mut points, mut uvs, mut normals) = (1, 1, 1);
    for part in &scene.parts {
        let (place_of, count) = places(&part.positions);
        write_vertices(&mut text, part, &place_of);
        if let Some(index) = part.material {
            let _ = writeln!(text, "usemtl {}", material_name(&name, index));
        }
        for corners in &part.triangles {
            text.push('f');
            for corner in corners.map(|vertex| vertex as usize) {
                let (point, normal) = (points + place_of[corner], normals + corner);
                let _ = if part.uvs.is_empty() {
                    write!(text, " {point}//{normal}")
                } else {
                    write!(text, " {point}/{}/{normal}", uvs + corner)
                };
            }
            text.push('\n');
        }
        points += count;
        uvs += part.uvs.len();
        normals += part.normals.len();
    }
    text
}

fn write_vertices(text: &mut String, part: &Part, place_of: &[usize]) {
    let mut written = 0;
    for ([x, y, z], place) in part.positions.iter().zip(place_of) {
        if *place == written {
            let _ = writeln!(text, "v {x} {y} {z}");
            written += 1;
        }
    }
    for [u, v] in &part.uvs {
        let _ = writeln!(text, "vt {u} {}", 1.0 - v);
    }
    for [x, y, z] in &part.normals {
        let _ = writeln!(text, "vn {x} {y} {z}");
    }
}

pub(crate) fn mtl(scene: &Scene, label: Label<'_>) -> String {
    let name = token(label.name);
    let mut text = comment(label);
    for (index, material) in scene.materials.iter().enumerate() {
        let [red, green, blue, opacity] = material.colour;
        let _ = writeln!(text, "newmtl {}", material_name(&name, index));
        let _ = writeln!(text, "Kd {red} {green} {blue}\nKs 0 0 0\nd {opacity}\nillum 1");
        if let Some(texture) = material.texture {
            let _ = writeln!(text, "map_Kd {STEM}.{}", texture_ending(texture));
        }
    }
    text
}

/// What the name of a texture's file ends with: `texture.png`, then `texture-2.png`.
pub(crate) fn texture_ending(index: usize) -> String {
    match index {
        0 => "texture.png".to_owned(),
        index => format!("texture-{}.png", index + 1),
    }
}

fn material_name(name: &str, index: usize) -> String {
    match index {
        0 => name.to_owned(),
        index => format!("{name}-{}", index + 1),
    }
}

fn comment(label: Label<'_>) -> String {
    let line = |text: &str| text.replace(char::is_control, " ");
    format!("# {}: {}\n# Y is up\n", line(label.name), line(label.about))
}

/// A name in one word.
pub(crate) fn token(name: &str) -> String {
    name.replace(|letter: char| letter.is_whitespace() || letter.is_control(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertices_in_one_place_share_their_number_and_keep_their_own_uv_and_normal() {
        // A square, cut by a seam; the corner 1, 0, 0 has a zero of either sign.
        let part = |uvs: Vec<[f32; 2]>| Part {
            positions: vec![
                [0.0, 0.0, 0.0],
                [1.0, 0.0, 0.0],
                [0.0, 1.0, 0.0],
                [1.0, -0.0, 0.0],
                [1.0, 1.0, 0.0],
                [0.0, 1.0, 0.0],
            ],
            normals: vec![[0.0, 0.0, 1.0]; 6],
            uvs,
            triangles: vec![[0, 1, 2], [3, 4, 5]],
            material: None,
        };
        let scene = Scene {
            parts: vec![part(vec![[0.5, 0.25]; 6]), part(Vec::new())],
            materials: Vec::new(),
            textures: Vec::new(),
        };
        let label = Label {
            name: "square",
            about: "a test",
        };
        let text = obj(&scene, label);
        let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!((lines("v "), lines("vt "), lines("vn ")), (8, 6, 12));
        let faces: Vec<&str> = text.lines().filter(|line| line.starts_with("f ")).collect();
        assert_eq!(
            faces,
            [
                "f 1/1/1 2/2/2 3/3/3",
                "f 2/4/4 4/5/5 3/6/6",
                "f 5//7 6//8 7//9",
                "f 6//10 8//11 7//12"
            ]
        );
    }
}
