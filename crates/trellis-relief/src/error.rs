//! Why no relief was made.

use trellis_core::Format;

/// Why no relief was made.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum ReliefError {
    #[error("no object was found: the picture is fully transparent")]
    Transparent,
    #[error("no object was found: nothing stands out from the background")]
    OnlyBackground,
    #[error("no clear object was found: the background is too busy to separate the object from it")]
    BusyBackground,
    /// What was found are the pieces of a background rather than an object.
    #[error(
        "no clear object was found: what stands out is {bodies} pieces along the border, the largest {largest_percent} % of it"
    )]
    Scattered { bodies: usize, largest_percent: u32 },
    #[error("`relief` cannot make `{format}`: it makes `glb`, `stl` and `ply`")]
    UnsupportedFormat { format: Format },
    #[error("cancelled")]
    Cancelled,
    #[error("the texture could not be encoded")]
    Texture { source: jpeg_encoder::EncodingError },
    /// The mesh failed its own check: a defect of ours.
    #[error("the mesh is not closed")]
    Mesh { source: crate::Defect },
}

impl ReliefError {
    /// Stable name in logs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transparent | Self::OnlyBackground => "no_object",
            Self::BusyBackground | Self::Scattered { .. } => "no_clear_object",
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::Cancelled => "cancelled",
            Self::Texture { .. } => "texture",
            Self::Mesh { .. } => "mesh",
        }
    }
}
