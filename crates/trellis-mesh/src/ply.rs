//! The triangles of a PLY: vertices with a place, and where it has them a normal and texture coordinates; faces as
//! lists of vertices, which become fans.

use trellis_core::MeshFormat;

use crate::ply_header::{Element, Encoding, Header, Number};
use crate::{Limits, Mesh, MeshError};

/// The most corners of a face; more is damage.
const MOST_CORNERS: f64 = 1024.0;
/// The names that exporters give to texture coordinates.
const UVS: [[&str; 4]; 2] = [
    ["u", "s", "texture_u", "texture_s"],
    ["v", "t", "texture_v", "texture_t"],
];
/// The names of a face's list of vertices.
const CORNERS: [&str; 2] = ["vertex_indices", "vertex_index"];

pub(crate) fn read(ply: &[u8], limits: Limits) -> Result<Mesh, MeshError> {
    let mut rest = ply;
    let header = Header::read(&mut rest).map_err(|_| damaged("its header is not a valid PLY header"))?;
    let named = |name: &str| header.elements.iter().find(|element| element.name == name);
    let places = named("vertex")
        .and_then(Columns::of)
        .ok_or_else(|| damaged("its vertices have no `x`, `y` and `z`"))?;
    if named("face").is_none() {
        return Err(MeshError::Empty {
            why: "has points and no faces",
        });
    }
    let count = |name| named(name).map_or(0, |element| usize::try_from(element.count).unwrap_or(usize::MAX));
    limits.allow(count("vertex"), count("face"))?;
    let mut rows = Rows {
        rest,
        encoding: header.encoding,
    };
    let mut mesh = Mesh::default();
    let (mut row, mut corners) = (Vec::new(), Vec::new());
    for element in &header.elements {
        for _ in 0..element.count {
            row.clear();
            corners.clear();
            rows.next(element, &mut row, &mut corners)?;
            match element.name.as_str() {
                "vertex" => {
                    places.add(&row, &mut mesh);
                    limits.allow(mesh.vertices.len(), 0)?;
                }
                "face" => {
                    fan(&corners, &mut mesh.triangles)?;
                    limits.allow(0, mesh.triangles.len())?;
                }
                _ => {}
            }
        }
    }
    Ok(mesh)
}

/// Which of a vertex's values are what.
struct Columns {
    place: [usize; 3],
    normal: Option<[usize; 3]>,
    uv: Option<[usize; 2]>,
}

impl Columns {
    fn of(vertex: &Element) -> Option<Self> {
        let three = |names: [&str; 3]| -> Option<[usize; 3]> {
            let [x, y, z] = names.map(|name| vertex.value(&[name]));
            Some([x?, y?, z?])
        };
        let [u, v] = UVS.map(|names| vertex.value(&names));
        Some(Self {
            place: three(["x", "y", "z"])?,
            normal: three(["nx", "ny", "nz"]),
            uv: u.zip(v).map(|(u, v)| [u, v]),
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision is what a mesh has"
    )]
    fn add(&self, row: &[f64], mesh: &mut Mesh) {
        let value = |at: usize| row.get(at).map_or(f32::NAN, |value| *value as f32);
        mesh.vertices.push(self.place.map(value));
        mesh.normals.extend(self.normal.map(|at| at.map(value)));
        mesh.uvs.extend(self.uv.map(|at| at.map(value)));
    }
}

fn fan(corners: &[f64], triangles: &mut Vec<[u32; 3]>) -> Result<(), MeshError> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number that was compared with the largest"
    )]
    let vertex = |value: f64| {
        let fits = (0.0..=f64::from(u32::MAX)).contains(&value) && value.fract() == 0.0;
        fits.then_some(value as u32)
            .ok_or_else(|| damaged("a face refers to a vertex that does not exist"))
    };
    let [first, rest @ ..] = corners else {
        return Err(damaged("a face has no vertices"));
    };
    let first = vertex(*first)?;
    for pair in rest.windows(2) {
        triangles.push([first, vertex(pair[0])?, vertex(pair[1])?]);
    }
    Ok(())
}

/// What follows the header.
struct Rows<'a> {
    rest: &'a [u8],
    encoding: Encoding,
}

impl Rows<'_> {
    /// Reads a row: its values up to the first list, and the list of a face's corners.
    fn next(
        &mut self,
        element: &Element,
        row: &mut Vec<f64>,
        corners: &mut Vec<f64>,
    ) -> Result<(), MeshError> {
        for property in &element.properties {
            let Some(length) = property.length else {
                row.push(self.number(property.number)?);
                continue;
            };
            let length = self.number(length)?;
            if !(0.0..=MOST_CORNERS).contains(&length) {
                return Err(damaged("a list is longer than any face"));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and the most corners"
            )]
            for _ in 0..length as usize {
                let value = self.number(property.number)?;
                if CORNERS.contains(&property.name.as_str()) {
                    corners.push(value);
                }
            }
        }
        Ok(())
    }

    fn number(&mut self, number: Number) -> Result<f64, MeshError> {
        let cut_short = || damaged("it is cut short");
        if self.encoding == Encoding::Text {
            let text = self.rest.trim_ascii_start();
            let end = text
                .iter()
                .position(u8::is_ascii_whitespace)
                .unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            self.rest = rest;
            if word.is_empty() {
                return Err(cut_short());
            }
            let word = std::str::from_utf8(word).ok();
            return word
                .and_then(|word| word.parse().ok())
                .ok_or_else(|| damaged("a value is not a number"));
        }
        let (bytes, rest) = self.rest.split_at_checked(number.bytes()).ok_or_else(cut_short)?;
        self.rest = rest;
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        if self.encoding == Encoding::BigEndian {
            whole[..bytes.len()].reverse();
        }
        Ok(number.read(whole))
    }
}

fn damaged(why: &'static str) -> MeshError {
    let format = MeshFormat::Ply;
    MeshError::Damaged { format, why }
}
