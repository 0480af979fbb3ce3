//! What was submitted: pictures, and a mesh where one is to be textured.

use serde::{Deserialize, Serialize};

use crate::{AssetName, Sha256, named};

named! {
    /// The picture formats that are read.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum PictureFormat: "a picture format" {
        /// PNG, any colour type, 1 to 16 bits; of an animation the first frame.
        Png = "png",
        /// JPEG, grey, YCbCr, RGB or CMYK; its EXIF orientation is followed.
        Jpeg = "jpeg",
        /// WebP, lossy or lossless; of an animation the first frame.
        Webp = "webp",
        /// GIF; of an animation the first frame.
        Gif = "gif",
        /// BMP.
        Bmp = "bmp",
        /// TIFF, grey, RGB or CMYK, 8 or 16 bits; the first page.
        Tiff = "tiff",
    }
}

impl PictureFormat {
    /// All of them in a sentence.
    pub const LISTED: &str = "PNG, JPEG, WebP, GIF, BMP or TIFF";

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Webp => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
        }
    }

    /// How names of its files end, without the dot; the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Webp => &["webp"],
            Self::Gif => &["gif"],
            Self::Bmp => &["bmp"],
            Self::Tiff => &["tif", "tiff"],
        }
    }
}

named! {
    /// The formats of a mesh that is to be textured.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum MeshFormat: "a mesh format" {
        /// Binary glTF 2.0, everything in one file.
        Glb = "glb",
        /// Wavefront OBJ; its materials are not read.
        Obj = "obj",
        /// PLY, as text or binary.
        Ply = "ply",
    }
}

impl MeshFormat {
    /// All of them in a sentence.
    pub const LISTED: &str = "GLB, OBJ or PLY";

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Glb => "GLB",
            Self::Obj => "OBJ",
            Self::Ply => "PLY",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Glb => "model/gltf-binary",
            Self::Obj => "model/obj",
            Self::Ply => "application/ply",
        }
    }
}

/// What the header of a submitted picture says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PictureInput {
    /// Its format.
    pub format: PictureFormat,
    /// Width in pixels as stored, before any EXIF rotation.
    pub width: u32,
    /// Height in pixels as stored, before any EXIF rotation.
    pub height: u32,
}

/// What is known of a submitted mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeshInput {
    /// Its format.
    pub format: MeshFormat,
    /// How many vertices it has.
    pub vertices: u32,
    /// How many triangles it has.
    pub triangles: u32,
}

/// A picture, or the mesh that is to be textured as the pictures show it. The names of their formats tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum InputFile {
    /// A picture.
    Picture(PictureInput),
    /// The mesh; there is at most one, and it is the last of a job's files.
    Mesh(MeshInput),
}

impl InputFile {
    /// A picture of so many pixels.
    pub fn picture(format: PictureFormat, width: u32, height: u32) -> Self {
        Self::Picture(PictureInput {
            format,
            width,
            height,
        })
    }

    /// How many pixels it has; a mesh has none.
    pub fn pixels(self) -> u64 {
        match self {
            Self::Picture(picture) => u64::from(picture.width) * u64::from(picture.height),
            Self::Mesh(_) => 0,
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Picture(picture) => picture.format.media_type(),
            Self::Mesh(mesh) => mesh.format.media_type(),
        }
    }

    /// How the name of its file ends, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Picture(picture) => picture.format.extensions()[0],
            Self::Mesh(mesh) => mesh.format.name(),
        }
    }
}

/// A submitted file as the job keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Input {
    /// What it is.
    #[serde(flatten)]
    pub file: InputFile,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: Sha256,
    /// What its file was called, without folders and ending, where that came with it. The job is named after its first
    /// picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<AssetName>,
}

impl Input {
    /// Whether it is the mesh that is to be textured.
    pub fn is_mesh(&self) -> bool {
        matches!(self.file, InputFile::Mesh(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_lists_every_format() {
        let titles = PictureFormat::ALL.map(PictureFormat::title);
        let [first @ .., last] = &titles;
        assert_eq!(format!("{} or {last}", first.join(", ")), PictureFormat::LISTED);
        let titles = MeshFormat::ALL.map(MeshFormat::title);
        let [first @ .., last] = &titles;
        assert_eq!(format!("{} or {last}", first.join(", ")), MeshFormat::LISTED);
    }

    #[test]
    fn stored_names_are_the_titles_in_lower_case() {
        for format in PictureFormat::ALL {
            let stored = serde_json::to_value(format).unwrap();
            assert_eq!(stored, format.title().to_lowercase());
        }
    }

    #[test]
    fn a_picture_is_stored_as_it_was_before_there_were_meshes() {
        let sha256 = Sha256::of("a");
        let json = format!(r#"{{"format":"png","width":3,"height":2,"size_bytes":9,"sha256":"{sha256}"}}"#);
        let picture: Input = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&picture).unwrap(), json);
        assert!(!picture.is_mesh());
        let json = format!(
            r#"{{"format":"glb","vertices":4,"triangles":2,"size_bytes":9,"sha256":"{sha256}","name":"chair"}}"#
        );
        let mesh: Input = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&mesh).unwrap(), json);
        assert!(mesh.is_mesh());
        let both = PictureFormat::ALL.map(PictureFormat::name);
        assert!(
            MeshFormat::ALL
                .iter()
                .all(|format| !both.contains(&format.name()))
        );
    }
}
