//! Where a job is in its work. The stages are TRELLIS's own; a backend passes those that it has.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A part of the way from a picture to an asset, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Background removal and cropping.
    Preprocess,
    /// The picture's features (DINOv2 in TRELLIS).
    Condition,
    /// The occupied voxels; in `relief`, the outline inflated.
    SparseStructure,
    /// The structured latent; its steps are the sampler's own.
    StructuredLatent,
    /// From the latent to a mesh and splats.
    Decode,
    /// Fewer triangles.
    Simplify,
    /// The colours.
    Texture,
    /// Files written.
    Export,
}

impl Stage {
    /// Every stage in order.
    pub const ALL: [Self; 8] = [
        Self::Preprocess,
        Self::Condition,
        Self::SparseStructure,
        Self::StructuredLatent,
        Self::Decode,
        Self::Simplify,
        Self::Texture,
        Self::Export,
    ];

    /// The name in JSON, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preprocess => "preprocess",
            Self::Condition => "condition",
            Self::SparseStructure => "sparse_structure",
            Self::StructuredLatent => "structured_latent",
            Self::Decode => "decode",
            Self::Simplify => "simplify",
            Self::Texture => "texture",
            Self::Export => "export",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// The stage being worked on.
    pub stage: Stage,
    /// Steps done in this stage, 0 to `total`.
    pub step: u32,
    /// Steps that this stage has, at least 1.
    pub total: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_what_serde_writes() {
        for stage in Stage::ALL {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
        }
        assert!(Stage::ALL.is_sorted());
    }
}
