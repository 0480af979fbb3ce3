//! Where a job is in its work. The stages are TRELLIS's own; a backend passes those that it has.

use serde::{Deserialize, Serialize};

use crate::named;

named! {
    /// A part of the way from a picture to an asset, in the order in which they come.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum Stage: "a stage" {
        /// Background removal and cropping.
        Preprocess = "preprocess",
        /// The picture's features (DINOv2 in TRELLIS).
        Condition = "condition",
        /// The occupied voxels; in `relief`, the outline inflated.
        SparseStructure = "sparse_structure",
        /// The structured latent; its steps are the sampler's own.
        StructuredLatent = "structured_latent",
        /// The latent of colours and materials, where the model has one of its own.
        TextureLatent = "texture_latent",
        /// From the latent to a mesh and splats.
        Decode = "decode",
        /// Fewer triangles.
        Simplify = "simplify",
        /// The colours.
        Texture = "texture",
        /// Files written.
        Export = "export",
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
