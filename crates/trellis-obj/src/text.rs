//! The text of OBJ and MTL.
//!
//! ```text
//! v x y z │ vt u v, from the bottom left │ vn x y z │ f position/uv/normal three times, counted from 1
//! ```
//! Numbers have the fewest digits that still read as the same number.

use std::fmt::Write as _;

use crate::scene::{Part, Scene};
use crate::{Label, STEM};

pub(crate) fn obj(scene: &Scene, label: Label<'_>) -> String {
    let name = token(label.name);
    let mut text = comment(label);
    let _ = writeln!(text, "mtllib {STEM}.mtl\no {name}");
    let (mut points, mut uvs) = (1, 1);
    for part in &scene.parts {
        write_vertices(&mut text, part);
        if let Some(index) = part.material {
            let _ = writeln!(text, "usemtl {}", material_name(&name, index));
        }
        for corners in &part.triangles {
            text.push('f');
            for corner in corners.map(u64::from) {
                let point = corner + points;
                let _ = if part.uvs.is_empty() {
                    write!(text, " {point}//{point}")
                } else {
                    write!(text, " {point}/{}/{point}", corner + uvs)
                };
            }
            text.push('\n');
        }
        points += part.positions.len() as u64;
        uvs += part.uvs.len() as u64;
    }
    text
}

fn write_vertices(text: &mut String, part: &Part) {
    for [x, y, z] in &part.positions {
        let _ = writeln!(text, "v {x} {y} {z}");
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
