//! Why no relief was made.

use trellis_core::Format;

/// Why no relief was made.
#[derive(Debug, thiserror::Error)]
pub enum ReliefError {
    /// Every pixel is transparent.
    #[error("no object was found: the picture is fully transparent")]
    Transparent,
    /// The picture is all background.
    #[error("no object was found: nothing stands out from the background")]
    OnlyBackground,
    /// What surrounds the object is too uneven.
    #[error("no clear object was found: the background is too busy to separate the object from it")]
    BusyBackground,
    /// What was found are the pieces of a background rather than an object.
    #[error(
        "no clear object was found: what stands out is {bodies} pieces along the border, the largest {largest_percent} % of it"
    )]
    Scattered {
        /// The pieces.
        bodies: usize,
        /// The largest piece's share of all of them.
        largest_percent: u32,
    },
    /// A format that it cannot make.
    #[error("`relief` cannot make `{format}`: it makes `glb`, `stl` and `ply`")]
    UnsupportedFormat {
        /// What was asked for.
        format: Format,
    },
    /// The caller broke off.
    #[error("cancelled")]
    Cancelled,
    /// The texture could not be encoded.
    #[error("the texture could not be encoded")]
    Texture {
        /// What the encoder said.
        #[source]
        source: jpeg_encoder::EncodingError,
    },
    /// The mesh failed its own check: a defect of ours.
    #[error("the mesh is not closed")]
    Mesh {
        /// What is wrong.
        #[source]
        source: crate::Defect,
    },
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
