//! Why a mesh is not taken.

use trellis_core::MeshFormat;

/// Why a mesh is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// Not one of the formats.
    #[error("{sentence}")]
    NotRead {
        /// What it is instead.
        sentence: &'static str,
        /// What to do about it.
        fix: &'static str,
    },
    /// One of the formats, in a form that is not read.
    #[error("this {} {what}", format.title())]
    UnreadForm {
        /// Which format.
        format: MeshFormat,
        /// What it has or needs.
        what: String,
    },
    /// More triangles or vertices than allowed.
    #[error("the mesh has more than {limit} {what}")]
    TooLarge {
        /// Triangles or vertices.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// It cannot be what it was meant to be.
    #[error("the {} is damaged: {why}", format.title())]
    Damaged {
        /// Which format.
        format: MeshFormat,
        /// What is wrong.
        why: &'static str,
    },
    /// There is nothing to texture.
    #[error("the mesh {why}")]
    Empty {
        /// What it lacks.
        why: &'static str,
    },
}

impl MeshError {
    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotRead { fix, .. } => fix,
            Self::UnreadForm { .. } => {
                "export it again as one GLB with plain triangles, without compression and external files"
            }
            Self::TooLarge { .. } => "reduce its triangles first, for example with a decimate modifier",
            Self::Damaged { .. } => "export the mesh again",
            Self::Empty { .. } => "send a mesh of triangles or polygons",
        }
    }
}
