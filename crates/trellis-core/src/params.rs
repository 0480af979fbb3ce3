//! What can be asked of a generation. Names, ranges, defaults and help of every parameter stand in tables, once:
//! requests, errors, the HTTP contract, the command line and docs/parameters.md read them from there.
//!
//! A request is a [`ParamsPatch`] (all optional); [`ParamsPatch::resolve`] checks it and fills in the rest.
//! [`Params`] holds what all models share and, flat beside it in JSON, what one model has of its own
//! ([`ModelParams`]). Another model is a file beside `trellis_image_large.rs` and a line in `models!` below.

mod name;
mod parameter;
mod patch;
mod quality;
#[cfg(feature = "openapi")]
mod schema;
mod table;
mod texturing;
mod trellis2_4b;
mod trellis_image_large;

use std::sync::LazyLock;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

pub use name::ParameterName;
pub use parameter::{Given, Kind, ParamError, Parameter};
pub use patch::{Defaults, ParamsPatch};
pub use quality::Quality;
use table::{models, parameters};
pub use texturing::Texturing;
pub use trellis_image_large::{MultiImageAlgorithm, TrellisImageLarge};
pub use trellis2_4b::{TextureFormat, Trellis2};

use crate::{Format, named};

parameters! {
    /// Checked parameters of one job, nothing left open.
    pub struct Params {
        /// Seed of all random numbers
        seed: u32 = Kind::Whole { least: 0, most: 4_294_967_295, step: 1, default: None };
        => model:
        /// The model that makes the asset
        ;
        /// Whether the mesh gets a texture; a plain one is made sooner
        #[serde(default = "texture")]
        texture: bool = Kind::Flag { default: true };
        /// Longest side of an STL in millimetres
        #[serde(default = "stl_size_mm")]
        stl_size_mm: f64 = Kind::real(1.0, 10_000.0, 100.0);
        /// Voxels along the longest side
        #[serde(default = "voxel_resolution")]
        voxel_resolution: u32 = Kind::whole(16, 256, 64);
        /// What to make
        formats: Vec<Format> = Kind::Formats;
        /// Whether a picture without an alpha channel has its background removed
        remove_background: bool = Kind::Flag { default: true };
    }
}

models! {
    /// Microsoft's TRELLIS-image-large.
    TrellisImageLarge = "trellis-image-large",
    /// Microsoft's TRELLIS.2-4B.
    Trellis2 = "trellis2-4b",
}

impl Model {
    /// The one that is taken where a request names none.
    pub const DEFAULT: Self = Self::ALL[0];

    const KIND: Kind = Kind::Choice {
        names: Self::NAMES,
        default: Some(Self::NAMES[0]),
        schema: None,
    };
}

/// In the order in which requests have always been written: what is a model's own comes after the model.
static NAMES: LazyLock<Vec<ParameterName>> = LazyLock::new(|| {
    let seed_and_model = 2;
    let (first, rest) = Params::PARAMETERS.split_at(seed_and_model);
    let shared = |parameter| (None, parameter);
    let own = Model::ALL.into_iter().flat_map(|model| {
        let parameters = model.parameters().iter();
        parameters.map(move |parameter| (Some(model), parameter))
    });
    ParameterName::all(first.iter().map(shared).chain(own).chain(rest.iter().map(shared)))
});

impl Params {
    /// Every name that can be asked for, whichever models have it.
    pub fn names() -> &'static [ParameterName] {
        &NAMES
    }

    /// Side of the texture in pixels, which every model has a range of its own for.
    pub fn texture_size(&self) -> u32 {
        self.model.texture_size()
    }

    /// Whether a file of the job has colours in it.
    pub fn shows_colours(&self) -> bool {
        self.formats.iter().any(|format| match format {
            Format::Ply | Format::GaussianPly | Format::Turntable | Format::Vxz => true,
            Format::Glb | Format::Obj | Format::Voxels => self.texture,
            Format::Stl => false,
        })
    }

    /// The share of its triangles that a preview is to lose.
    pub fn mesh_simplify(&self) -> f64 {
        match &self.model {
            ModelParams::TrellisImageLarge(own) => own.mesh_simplify,
            // Its target is for a mesh of millions: no preview comes near it.
            ModelParams::Trellis2(_) => trellis_image_large::SIMPLIFIED,
        }
    }
}

impl Params {
    /// What a worker makes of a small picture before its first job: little, by the way of every job.
    ///
    /// # Panics
    /// Never: a test makes those of each model.
    pub fn warm_up(model: Model, defaults: &Defaults) -> Self {
        let asked = ParamsPatch::default()
            .or_model(model)
            .or(defaults)
            .with("seed", 1);
        let quick = model.quick().iter();
        let asked = quick.fold(asked, |asked, (name, value)| asked.with(name, *value));
        asked.resolve(0).expect("in range")
    }
}

/// Jobs and records of before there were several models name none.
fn with_the_default_model<'de, D: serde::Deserializer<'de>>(from: D) -> Result<ModelParams, D::Error> {
    let mut fields = serde_json::Map::deserialize(from)?;
    fields
        .entry("model")
        .or_insert_with(|| Model::DEFAULT.name().into());
    serde_json::from_value(fields.into()).map_err(D::Error::custom)
}

// The defaults, for jobs and records of before these parameters were there.

fn texture() -> bool {
    defaults().texture
}

fn stl_size_mm() -> f64 {
    defaults().stl_size_mm
}

fn voxel_resolution() -> u32 {
    defaults().voxel_resolution
}

fn defaults() -> Params {
    ParamsPatch::default().resolve(0).expect("defaults are in range")
}

#[cfg(test)]
mod tests;
