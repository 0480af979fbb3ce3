//! Why there is no OBJ.

/// Why a GLB cannot be converted, or a zip not be taken apart.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum ObjError {
    #[error("the GLB cannot be read")]
    Glb { source: Box<gltf::Error> },
    /// A part of it lies outside its buffer, or outside the file.
    #[error("the GLB has no data for {what}")]
    Missing { what: &'static str },
    #[error("the GLB has no triangles")]
    Empty,
    #[error("the texture cannot be converted to PNG")]
    Texture { source: image::ImageError },
    #[error("the zip cannot be written or read")]
    Zip { source: zip::result::ZipError },
    #[error("the zip holds `{name}`, which is not part of an OBJ")]
    Foreign { name: String },
    #[error("the zip holds more than {limit} bytes")]
    TooLarge { limit: u64 },
}
