//! What can be asked of a generation. Names, ranges, defaults and help of every parameter stand in tables, once:
//! requests, errors, the HTTP contract, the command line and docs/parameters.md read them from there.
//!
//! A request is a [`ParamsPatch`] (all optional); [`ParamsPatch::resolve`] checks it and fills in the rest.
//! [`Params`] holds what all models share and, flat beside it in JSON, what one model has of its own
//! ([`ModelParams`]). Another model is a file beside `trellis_image_large.rs` and a line in `models!` below.

mod parameter;
mod patch;
mod quality;
#[cfg(feature = "openapi")]
mod schema;
mod table;
mod trellis_image_large;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

pub use parameter::{Given, Kind, ParamError, Parameter};
pub use patch::{Defaults, ParamsPatch};
pub use quality::Quality;
use table::{models, parameters};
pub use trellis_image_large::{MultiImageAlgorithm, TrellisImageLarge};

use crate::{Format, named};

parameters! {
    /// Checked parameters of one job, nothing left open.
    pub struct Params {
        /// Seed of all random numbers
        seed: u32 = Kind::Whole { least: 0, most: 4_294_967_295, step: 1, default: None };
        => model:
        /// The model that makes the asset
        ;
        /// Share of the triangles to remove
        mesh_simplify: f64 = Kind::real(0.0, 0.98, 0.95);
        /// Side of the texture in pixels
        texture_size: u32 = Kind::steps(512, 2048, 512, 1024);
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

impl Params {
    /// Every parameter there is: those that all models share, with those of each model in their middle.
    pub fn of_all_models() -> impl Iterator<Item = &'static Parameter> {
        let seed_and_model = 2;
        let own = Model::ALL.iter().flat_map(|model| model.parameters());
        let (first, rest) = Self::PARAMETERS.split_at(seed_and_model);
        first.iter().chain(own).chain(rest)
    }
}

impl Params {
    /// What a worker makes of a small picture before its first job: little, by the way of every job.
    ///
    /// # Panics
    /// Never: a test makes those of each model.
    pub fn warm_up(model: Model, defaults: &Defaults) -> Self {
        let asked = ParamsPatch::default()
            .with("model", model.name())
            .or(defaults)
            .with("seed", 1)
            .with("texture_size", 512);
        let few = model.few_steps().iter();
        let asked = few.fold(asked, |asked, (name, steps)| asked.with(name, *steps));
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
