//! Why a submission is refused.

use trellis_core::{Failure, ParamError};
use trellis_mesh::MeshError;
use trellis_picture::PictureError;

use crate::{BlobError, Busy, StoreError};

/// Why a submission is refused.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Nothing to work on.
    #[error("there is no picture")]
    NoPicture,
    /// More views than allowed.
    #[error("there are more pictures than the limit of {max_images}")]
    TooManyPictures {
        /// How many there may be.
        max_images: usize,
    },
    /// More comes in than there is room for, or can be looked at.
    #[error("the server has more submissions coming in than it has room for")]
    Busy,
    /// One of them cannot be used.
    #[error("picture {} cannot be used", index + 1)]
    Picture {
        /// Which, from 0.
        index: usize,
        /// Why.
        #[source]
        source: PictureError,
    },
    /// The mesh to be textured cannot be used.
    #[error("the mesh cannot be used")]
    Mesh {
        /// Why.
        #[source]
        source: MeshError,
    },
    /// There is more than one mesh.
    #[error("there is more than one mesh")]
    TwoMeshes,
    /// A parameter is out of range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// No backend here will ever make it.
    #[error(transparent)]
    Unsupported(Box<Failure>),
    /// The row cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be stored.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl SubmitError {
    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoPicture => "no_picture",
            Self::TooManyPictures { .. } => "too_many_pictures",
            Self::Picture { source, .. } => match source {
                PictureError::NotRead { .. } | PictureError::UnreadForm { .. } => "picture_format",
                PictureError::TooLarge { .. } => "picture_too_large",
                PictureError::CutShort | PictureError::Damaged { .. } => "picture_damaged",
            },
            Self::Mesh { source } => match source {
                MeshError::NotRead { .. } | MeshError::UnreadForm { .. } => "mesh_format",
                MeshError::TooLarge { .. } => "mesh_too_large",
                MeshError::Damaged { .. } | MeshError::Empty { .. } => "mesh_damaged",
            },
            Self::TwoMeshes => "too_many_meshes",
            Self::Busy => "server_busy",
            Self::Param(_) => "invalid_parameter",
            Self::Unsupported(failure) => failure.kind.name(),
            Self::Store(error) => error.kind(),
            Self::Blob(error) => error.kind(),
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &str {
        match self {
            Self::NoPicture => "send at least one picture, for example as PNG or JPEG",
            Self::TooManyPictures { .. } => {
                "send fewer views of the object, or raise `limits.images_per_job`"
            }
            Self::Busy => "send the request again after the seconds that `Retry-After` tells",
            Self::Picture { source, .. } => source.advice(),
            Self::Mesh { source } => source.advice(),
            Self::TwoMeshes => "send one mesh, with all parts of the object in it",
            Self::Param(_) => "choose a value in that range, or leave the parameter out",
            Self::Unsupported(failure) => &failure.fix,
            Self::Store(error) => error.advice(),
            Self::Blob(error) => error.advice(),
        }
    }
}

impl From<Busy> for SubmitError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}
