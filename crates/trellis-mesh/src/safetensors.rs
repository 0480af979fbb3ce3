//! A mesh as a worker reads it: a safetensors file.
//!
//! ```text
//! length of the header, 8 bytes, little-endian
//! header: JSON with the type, shape and place of each tensor, and blanks up to a multiple of 8
//! vertices (V, 3) F32, faces (F, 3) I32, normals (V, 3) F32, uvs (V, 2) F32; the last two may be absent
//! ```
//! Source: the documentation of the safetensors format.

use std::io::{self, BufWriter, Write};

use crate::Mesh;

impl Mesh {
    /// Writes it as safetensors.
    pub fn write_safetensors(&self, to: impl Write) -> io::Result<()> {
        let mut to = BufWriter::new(to);
        let mut entries = Vec::new();
        let mut end = 0;
        for (name, kind, rows, columns) in [
            ("vertices", "F32", self.vertices.len(), 3),
            ("faces", "I32", self.triangles.len(), 3),
            ("normals", "F32", self.normals.len(), 3),
            ("uvs", "F32", self.uvs.len(), 2),
        ] {
            let start = end;
            end += rows * columns * 4;
            if rows > 0 {
                entries.push(format!(
                    r#""{name}":{{"dtype":"{kind}","shape":[{rows},{columns}],"data_offsets":[{start},{end}]}}"#
                ));
            }
        }
        let mut header = format!("{{{}}}", entries.join(","));
        while header.len() % 8 != 0 {
            header.push(' ');
        }
        to.write_all(&(header.len() as u64).to_le_bytes())?;
        to.write_all(header.as_bytes())?;
        floats(&mut to, self.vertices.as_flattened())?;
        for vertex in self.triangles.as_flattened() {
            to.write_all(&vertex.to_le_bytes())?;
        }
        floats(&mut to, self.normals.as_flattened())?;
        floats(&mut to, self.uvs.as_flattened())?;
        to.flush()
    }
}

fn floats(to: &mut impl Write, values: &[f32]) -> io::Result<()> {
    values
        .iter()
        .try_for_each(|value| to.write_all(&value.to_le_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_header_says_where_each_tensor_is() {
        let mesh = Mesh {
            vertices: vec![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.5]],
            triangles: vec![[0, 1, 2]],
            normals: Vec::new(),
            uvs: vec![[0.0, 0.5]; 3],
        };
        let mut file = Vec::new();
        mesh.write_safetensors(&mut file).unwrap();
        let length = usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap();
        let header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
        let body = &file[8 + length..];
        assert_eq!(length % 8, 0);
        assert_eq!(header["vertices"]["shape"], serde_json::json!([3, 3]));
        assert_eq!(header["faces"]["data_offsets"], serde_json::json!([36, 48]));
        assert_eq!(header["uvs"]["data_offsets"], serde_json::json!([48, 72]));
        assert!(header.get("normals").is_none());
        assert_eq!(body.len(), 72);
        assert_eq!(body[32..36], 8.5_f32.to_le_bytes());
        assert_eq!(body[40..44], 1_i32.to_le_bytes());
    }
}
