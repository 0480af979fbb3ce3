//! The roles of a pipeline's models and the classes that can play them.
//!
//! Source: `trellis/models/__init__.py` (the classes) and the two pipelines (who calls what for which format).

use serde::Serialize;
use trellis_core::named;

/// A class of TRELLIS. The `Elastic…` forms hold the same tensors as the plain ones and count as them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "TRELLIS's own names")]
pub enum Class {
    SparseStructureEncoder,
    SparseStructureDecoder,
    SparseStructureFlowModel,
    SLatEncoder,
    SLatGaussianDecoder,
    SLatRadianceFieldDecoder,
    SLatMeshDecoder,
    SLatFlowModel,
}

impl Class {
    /// By the name in a checkpoint's config.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "SparseStructureEncoder" => Self::SparseStructureEncoder,
            "SparseStructureDecoder" => Self::SparseStructureDecoder,
            "SparseStructureFlowModel" => Self::SparseStructureFlowModel,
            "SLatEncoder" | "ElasticSLatEncoder" => Self::SLatEncoder,
            "SLatGaussianDecoder" | "ElasticSLatGaussianDecoder" => Self::SLatGaussianDecoder,
            "SLatRadianceFieldDecoder" | "ElasticSLatRadianceFieldDecoder" => Self::SLatRadianceFieldDecoder,
            "SLatMeshDecoder" | "ElasticSLatMeshDecoder" => Self::SLatMeshDecoder,
            "SLatFlowModel" | "ElasticSLatFlowModel" => Self::SLatFlowModel,
            _ => return None,
        })
    }
}

named! {
    /// What a model does in a pipeline: the key in `args.models`. In the order in which a job uses them; the
    /// encoders, which inference does not use, last.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    #[expect(missing_docs, reason = "TRELLIS's own names")]
    pub enum Role: "a role" {
        SparseStructureFlowModel = "sparse_structure_flow_model",
        SparseStructureDecoder = "sparse_structure_decoder",
        SlatFlowModel = "slat_flow_model",
        SlatDecoderGs = "slat_decoder_gs",
        SlatDecoderRf = "slat_decoder_rf",
        SlatDecoderMesh = "slat_decoder_mesh",
        SparseStructureEncoder = "sparse_structure_encoder",
        SlatEncoder = "slat_encoder",
    }
}

impl Role {
    /// The class that fits.
    pub fn class(self) -> Class {
        match self {
            Self::SparseStructureFlowModel => Class::SparseStructureFlowModel,
            Self::SparseStructureDecoder => Class::SparseStructureDecoder,
            Self::SlatFlowModel => Class::SLatFlowModel,
            Self::SlatDecoderGs => Class::SLatGaussianDecoder,
            Self::SlatDecoderRf => Class::SLatRadianceFieldDecoder,
            Self::SlatDecoderMesh => Class::SLatMeshDecoder,
            Self::SparseStructureEncoder => Class::SparseStructureEncoder,
            Self::SlatEncoder => Class::SLatEncoder,
        }
    }

    /// What cannot be made without it.
    pub fn needed_for(self) -> Need {
        match self {
            Self::SparseStructureFlowModel | Self::SparseStructureDecoder | Self::SlatFlowModel => {
                Need::Everything
            }
            Self::SlatDecoderGs => Need::Format("no Gaussians and no textured GLB can be made"),
            Self::SlatDecoderMesh => Need::Format("no mesh can be made, so no GLB and no STL"),
            Self::SlatDecoderRf => Need::Format("no radiance field can be made"),
            Self::SparseStructureEncoder | Self::SlatEncoder => Need::Nothing,
        }
    }
}

/// How much depends on a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// No job works without it.
    Everything,
    /// Some results cannot be made without it: the sentence says which.
    Format(&'static str),
    /// Inference does not use it.
    Nothing,
}
