//! What TRELLIS-image-large has of its own: two samplers, how several views reach them, how near the work stays to
//! TRELLIS's own code, and how fine mesh and texture are.
//!
//! Source of names, ranges and defaults: TRELLIS's `app.py`.

use serde::{Deserialize, Serialize};

use super::parameter::{FromGiven, Given, Kind};
use super::quality::Quality;
use super::table::parameters;
use crate::named;

named! {
    /// How several pictures of one object are combined.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum MultiImageAlgorithm: "a way to combine pictures" {
        /// One view at each sampler step, in turn.
        #[default]
        Stochastic = "stochastic",
        /// Every view at each step: better, and as many times slower as there are views.
        Multidiffusion = "multidiffusion",
    }
}

impl MultiImageAlgorithm {
    pub(super) const KIND: Kind = Kind::Choice {
        names: &[Self::Stochastic.name(), Self::Multidiffusion.name()],
        default: Some(Self::Stochastic.name()),
        schema: Some("MultiImageAlgorithm"),
    };
}

impl From<MultiImageAlgorithm> for Given {
    fn from(value: MultiImageAlgorithm) -> Self {
        Self::Name(value.name())
    }
}

impl FromGiven for MultiImageAlgorithm {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Name(name) = given else { return None };
        name.parse().ok()
    }
}

/// The share of the triangles that is removed where nothing is said of it.
pub(super) const SIMPLIFIED: f64 = 0.95;

impl TrellisImageLarge {
    /// Enough to reach every kernel, and soon over.
    pub(super) const QUICK: &'static [(&'static str, i64)] = &[
        ("ss_sampling_steps", 4),
        ("slat_sampling_steps", 4),
        ("texture_size", 512),
    ];
}

parameters! {
    /// The parameters of TRELLIS-image-large.
    pub struct TrellisImageLarge {
        /// Sampler steps for the sparse structure
        ss_sampling_steps: u32 = Kind::whole(1, 50, 12);
        /// Guidance for the sparse structure
        ss_guidance_strength: f64 = Kind::real(0.0, 10.0, 7.5);
        /// Sampler steps for the structured latent
        slat_sampling_steps: u32 = Kind::whole(1, 50, 12);
        /// Guidance for the structured latent
        slat_guidance_strength: f64 = Kind::real(0.0, 10.0, 3.0);
        /// How several pictures are combined
        multiimage_algo: MultiImageAlgorithm = MultiImageAlgorithm::KIND;
        /// How close to TRELLIS's own code: `exact` is that code, `balanced` faster, `draft` fastest but worse (F-score .841 to .823)
        #[serde(default = "Quality::unnamed")]
        quality: Quality = Kind::Choice {
            names: &[Quality::Draft.name(), Quality::Balanced.name(), Quality::Exact.name()],
            default: None,
            schema: Some("Quality"),
        };
        /// Share of the triangles to remove
        mesh_simplify: f64 = Kind::real(0.0, 0.98, SIMPLIFIED);
        /// Side of the texture in pixels
        texture_size: u32 = Kind::steps(512, 2048, 512, 1024);
    }
}
