//! Why a GLB cannot be converted.

/// Why a GLB cannot be converted, or a zip not be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It cannot be read as a GLB.
    #[error("the GLB cannot be read")]
    Glb {
        /// What is wrong.
        #[source]
        source: Box<gltf::Error>,
    },
    /// A part of it lies outside its buffer, or outside the file.
    #[error("the GLB has no data for {what}")]
    Missing {
        /// Of what.
        what: &'static str,
    },
    /// It has no triangles.
    #[error("the GLB has no triangles")]
    Empty,
    /// Its texture cannot be read or written.
    #[error("the texture cannot be read")]
    Texture {
        /// What is wrong.
        #[source]
        source: image::ImageError,
    },
    /// The voxels cannot be written.
    #[error("the voxels cannot be written")]
    Vox {
        /// What is wrong.
        #[source]
        source: std::io::Error,
    },
    /// The zip cannot be written or read.
    #[error("the zip cannot be written or read")]
    Zip {
        /// What is wrong.
        #[source]
        source: zip::result::ZipError,
    },
    /// The zip holds something else than an OBJ of ours.
    #[error("the zip holds `{name}`, which is not part of an OBJ")]
    Foreign {
        /// What it holds.
        name: String,
    },
    /// The zip grows beyond what is taken.
    #[error("the zip holds more than {limit} bytes")]
    TooLarge {
        /// How much is taken.
        limit: u64,
    },
}
