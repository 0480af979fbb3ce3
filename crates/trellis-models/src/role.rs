//! The roles of a pipeline's models and the classes that can play them.
//!
//! Source: `trellis/models/__init__.py` (the classes) and the two pipelines (who calls what for which format), and the
//! same of TRELLIS.2.

use serde::Serialize;
use trellis_core::{Model, named};

/// A class of TRELLIS or TRELLIS.2. The `Elastic…` forms hold the same tensors as the plain ones and count as them.
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
    FlexiDualGridVaeEncoder,
    FlexiDualGridVaeDecoder,
    SparseUnetVaeDecoder,
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
            "FlexiDualGridVaeEncoder" => Self::FlexiDualGridVaeEncoder,
            "FlexiDualGridVaeDecoder" => Self::FlexiDualGridVaeDecoder,
            "SparseUnetVaeDecoder" => Self::SparseUnetVaeDecoder,
            _ => return None,
        })
    }
}

named! {
    /// What a model does in a pipeline: the key in `args.models`. In the order in which a job uses them; the
    /// encoders, which no job from pictures uses, last.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    #[expect(missing_docs, reason = "TRELLIS's own names")]
    pub enum Role: "a role" {
        SparseStructureFlowModel = "sparse_structure_flow_model",
        SparseStructureDecoder = "sparse_structure_decoder",
        SlatFlowModel = "slat_flow_model",
        SlatDecoderGs = "slat_decoder_gs",
        SlatDecoderRf = "slat_decoder_rf",
        SlatDecoderMesh = "slat_decoder_mesh",
        ShapeSlatFlowModel512 = "shape_slat_flow_model_512",
        ShapeSlatFlowModel1024 = "shape_slat_flow_model_1024",
        ShapeSlatDecoder = "shape_slat_decoder",
        TexSlatFlowModel512 = "tex_slat_flow_model_512",
        TexSlatFlowModel1024 = "tex_slat_flow_model_1024",
        TexSlatDecoder = "tex_slat_decoder",
        SparseStructureEncoder = "sparse_structure_encoder",
        SlatEncoder = "slat_encoder",
        ShapeSlatEncoder = "shape_slat_encoder",
    }
}

/// The roles of these names that are known.
pub(crate) fn known(names: &[String]) -> Vec<Role> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

impl Role {
    /// Whether a model's pipeline has it.
    pub fn is_of(self, model: Model) -> bool {
        match self {
            Self::SparseStructureFlowModel | Self::SparseStructureDecoder | Self::SparseStructureEncoder => {
                true
            }
            Self::SlatFlowModel
            | Self::SlatDecoderGs
            | Self::SlatDecoderRf
            | Self::SlatDecoderMesh
            | Self::SlatEncoder => model == Model::TrellisImageLarge,
            Self::ShapeSlatFlowModel512
            | Self::ShapeSlatFlowModel1024
            | Self::ShapeSlatDecoder
            | Self::TexSlatFlowModel512
            | Self::TexSlatFlowModel1024
            | Self::TexSlatDecoder
            | Self::ShapeSlatEncoder => model == Model::Trellis2,
        }
    }

    /// The class that fits.
    pub fn class(self) -> Class {
        match self {
            Self::SparseStructureFlowModel => Class::SparseStructureFlowModel,
            Self::SparseStructureDecoder => Class::SparseStructureDecoder,
            Self::SlatFlowModel
            | Self::ShapeSlatFlowModel512
            | Self::ShapeSlatFlowModel1024
            | Self::TexSlatFlowModel512
            | Self::TexSlatFlowModel1024 => Class::SLatFlowModel,
            Self::ShapeSlatDecoder => Class::FlexiDualGridVaeDecoder,
            Self::TexSlatDecoder => Class::SparseUnetVaeDecoder,
            Self::ShapeSlatEncoder => Class::FlexiDualGridVaeEncoder,
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
            // The flow of 1024 goes on from what that of 512 made.
            Self::SparseStructureFlowModel
            | Self::SparseStructureDecoder
            | Self::SlatFlowModel
            | Self::ShapeSlatFlowModel512
            | Self::ShapeSlatDecoder => Need::Everything,
            Self::ShapeSlatFlowModel1024 => Need::Format("no resolution above 512 can be made"),
            Self::TexSlatFlowModel512 => Need::Format("no colours can be made at a resolution of 512"),
            Self::TexSlatFlowModel1024 => Need::Format("no colours can be made at a resolution above 512"),
            Self::TexSlatDecoder => Need::Format("no textured GLB and no PLY can be made"),
            Self::SlatDecoderGs => Need::Format("no Gaussians and no textured GLB can be made"),
            Self::SlatDecoderMesh => Need::Format("no mesh can be made, so no GLB and no STL"),
            Self::SlatDecoderRf => Need::Format("no radiance field can be made"),
            Self::ShapeSlatEncoder => Need::Format("no given mesh can be textured"),
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
