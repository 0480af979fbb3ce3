//! What TRELLIS.2-4B has of its own: three samplers (structure, shape, texture) of five parameters each, the
//! resolution that they work at, and how its GLB is made.
//!
//! Source of names, ranges and defaults: TRELLIS.2's `app.py` and the `pipeline.json` of the model.

use serde::{Deserialize, Serialize};

use super::MultiImageAlgorithm;
use super::parameter::{FromGiven, Given, Kind};
use super::quality::Quality;
use super::table::parameters;
use crate::named;

named! {
    /// How a GLB holds its textures. `png` loses nothing, and every viewer reads it. `webp` is smaller; a viewer needs
    /// glTF's extension `EXT_texture_webp` for it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum TextureFormat: "a texture format" {
        /// PNG.
        #[default]
        Png = "png",
        /// WebP.
        Webp = "webp",
    }
}

impl TextureFormat {
    const KIND: Kind = Kind::Choice {
        names: &[Self::Png.name(), Self::Webp.name()],
        default: Some(Self::Png.name()),
        schema: Some("TextureFormat"),
    };
}

impl From<TextureFormat> for Given {
    fn from(value: TextureFormat) -> Self {
        Self::Name(value.name())
    }
}

impl FromGiven for TextureFormat {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Name(name) = given else { return None };
        name.parse().ok()
    }
}

impl Trellis2 {
    /// Enough to reach every kernel, and soon over.
    pub(super) const QUICK: &'static [(&'static str, i64)] = &[
        ("resolution", 512),
        ("ss_sampling_steps", 4),
        ("shape_slat_sampling_steps", 4),
        ("tex_slat_sampling_steps", 4),
        ("texture_size", 1024),
    ];
}

parameters! {
    /// The parameters of TRELLIS.2-4B. A guidance interval is in the sampler's own time, which runs from 1 to 0.
    pub struct Trellis2 {
        /// Voxels along each side of the grid that the mesh is made of
        resolution: u32 = Kind::steps(512, 1536, 512, 1024);
        /// Sampler steps for the sparse structure
        ss_sampling_steps: u32 = Kind::whole(1, 50, 12);
        /// Guidance for the sparse structure
        ss_guidance_strength: f64 = Kind::real(1.0, 10.0, 7.5);
        /// How far guidance for the sparse structure is scaled back to the spread of unguided sampling
        ss_guidance_rescale: f64 = Kind::real(0.0, 1.0, 0.7);
        /// When sampling of the sparse structure is guided, in sampler time, which runs from 1 to 0
        ss_guidance_interval: [f64; 2] = Kind::interval(0.6, 1.0);
        /// How strongly the sparse structure's steps are concentrated at the start
        ss_rescale_t: f64 = Kind::real(1.0, 6.0, 5.0);
        /// Sampler steps for the shape
        shape_slat_sampling_steps: u32 = Kind::whole(1, 50, 12);
        /// Guidance for the shape
        shape_slat_guidance_strength: f64 = Kind::real(1.0, 10.0, 7.5);
        /// How far guidance for the shape is scaled back to the spread of unguided sampling
        shape_slat_guidance_rescale: f64 = Kind::real(0.0, 1.0, 0.5);
        /// When sampling of the shape is guided, in sampler time, which runs from 1 to 0
        shape_slat_guidance_interval: [f64; 2] = Kind::interval(0.6, 1.0);
        /// How strongly the shape's steps are concentrated at the start
        shape_slat_rescale_t: f64 = Kind::real(1.0, 6.0, 3.0);
        /// Sampler steps for the texture
        tex_slat_sampling_steps: u32 = Kind::whole(1, 50, 12);
        /// Guidance for the texture
        tex_slat_guidance_strength: f64 = Kind::real(1.0, 10.0, 1.0);
        /// How far guidance for the texture is scaled back to the spread of unguided sampling
        tex_slat_guidance_rescale: f64 = Kind::real(0.0, 1.0, 0.0);
        /// When sampling of the texture is guided, in sampler time, which runs from 1 to 0
        tex_slat_guidance_interval: [f64; 2] = Kind::interval(0.6, 0.9);
        /// How strongly the texture's steps are concentrated at the start
        tex_slat_rescale_t: f64 = Kind::real(1.0, 6.0, 3.0);
        /// Most occupied places of the shape at 1536; where there are more, a smaller resolution is used, 1024 at least, and the job says so
        max_num_tokens: u32 = Kind::whole(1, 1_000_000, 49_152);
        /// How several pictures are combined
        multiimage_algo: MultiImageAlgorithm = MultiImageAlgorithm::KIND;
        /// How guidance runs and how a textured GLB is made: `exact` by TRELLIS.2's own code, `balanced` and `draft` by ours, which is faster
        #[serde(default = "Quality::unnamed")]
        quality: Quality = Kind::Choice {
            names: &[Quality::Draft.name(), Quality::Balanced.name(), Quality::Exact.name()],
            default: None,
            schema: Some("Quality"),
        };
        /// Most triangles of the finished mesh
        decimation_target: u32 = Kind::whole(100_000, 1_000_000, 500_000);
        /// Whether the surface is rebuilt without folds and inner sheets before its triangles are reduced
        remesh: bool = Kind::Flag { default: true };
        /// Side of the texture in pixels
        texture_size: u32 = Kind::steps(1024, 4096, 1024, 2048);
        /// How a GLB holds its textures: `png` for every viewer, `webp` for files with smaller textures
        #[serde(default)]
        texture_format: TextureFormat = TextureFormat::KIND;
    }
}
