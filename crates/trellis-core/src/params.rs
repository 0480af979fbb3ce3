//! What can be asked of a generation: TRELLIS's own names, ranges and defaults, checked in one place.
//!
//! Source of names and ranges: TRELLIS's `app.py`. A request is a [`ParamsPatch`] (all optional);
//! [`ParamsPatch::resolve`] checks it and fills in the rest.

use serde::{Deserialize, Serialize};

use crate::{Format, named};

/// Ranges of the parameters, the only place where they stand.
pub mod limits {
    use std::ops::RangeInclusive;

    /// `seed`.
    pub const SEED: RangeInclusive<u32> = 0..=2_147_483_647;
    /// `ss_sampling_steps` and `slat_sampling_steps`.
    pub const STEPS: RangeInclusive<u32> = 1..=50;
    /// `ss_guidance_strength` and `slat_guidance_strength`.
    pub const GUIDANCE: RangeInclusive<f64> = 0.0..=10.0;
    /// `mesh_simplify`.
    pub const SIMPLIFY: RangeInclusive<f64> = 0.0..=0.98;
    /// `stl_size_mm`: what slicers and printers can use, from a bead to ten metres.
    pub const STL_SIZE_MM: RangeInclusive<f64> = 1.0..=10_000.0;
    /// `texture_size`, pixels along one side.
    pub const TEXTURE_SIZES: [u32; 4] = [512, 1024, 1536, 2048];
}

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

/// Checked parameters of one job, nothing left open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Params {
    /// Seed of all random numbers, 0 to 2147483647.
    pub seed: u32,
    /// Sampler steps for the sparse structure, 1 to 50.
    pub ss_sampling_steps: u32,
    /// Guidance for the sparse structure, 0 to 10.
    pub ss_guidance_strength: f64,
    /// Sampler steps for the structured latent, 1 to 50.
    pub slat_sampling_steps: u32,
    /// Guidance for the structured latent, 0 to 10.
    pub slat_guidance_strength: f64,
    /// How several pictures are combined.
    pub multiimage_algo: MultiImageAlgorithm,
    /// Share of the triangles to remove, 0.0 to 0.98.
    pub mesh_simplify: f64,
    /// Side of the texture in pixels: 512, 1024, 1536 or 2048.
    pub texture_size: u32,
    /// Longest side of an STL in millimetres, 1 to 10000.
    #[serde(default = "stl_size_mm")]
    pub stl_size_mm: f64,
    /// What to make, without repetition and never empty.
    pub formats: Vec<Format>,
    /// Whether a picture without an alpha channel has its background removed.
    pub remove_background: bool,
}

/// Parameters as somebody asks for them; what is absent takes its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ParamsPatch {
    /// Seed of all random numbers, 0 to 2147483647; absent: a random one, which the job then shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 2_147_483_647_u32))]
    pub seed: Option<i64>,
    /// Sampler steps for the sparse structure, 1 to 50 (12).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 50))]
    pub ss_sampling_steps: Option<i64>,
    /// Guidance for the sparse structure, 0 to 10 (7.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 10))]
    pub ss_guidance_strength: Option<f64>,
    /// Sampler steps for the structured latent, 1 to 50 (12).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 50))]
    pub slat_sampling_steps: Option<i64>,
    /// Guidance for the structured latent, 0 to 10 (3.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 10))]
    pub slat_guidance_strength: Option<f64>,
    /// How several pictures are combined (`stochastic`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiimage_algo: Option<MultiImageAlgorithm>,
    /// Share of the triangles to remove, 0.0 to 0.98 (0.95).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 0.98))]
    pub mesh_simplify: Option<f64>,
    /// Side of the texture in pixels: 512, 1024, 1536 or 2048 (1024).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 512, maximum = 2048, multiple_of = 512))]
    pub texture_size: Option<i64>,
    /// Longest side of an STL in millimetres, 1 to 10000 (100).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10_000))]
    pub stl_size_mm: Option<f64>,
    /// What to make (`glb`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub formats: Option<Vec<Format>>,
    /// Whether a picture without an alpha channel has its background removed (true).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_background: Option<bool>,
}

/// A parameter outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is {value}: {allowed}")]
pub struct ParamError {
    /// The parameter's name.
    pub field: &'static str,
    /// What was given.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl ParamsPatch {
    /// Checks every field and fills in defaults; `random_seed` is taken where no seed is given.
    pub fn resolve(&self, random_seed: u32) -> Result<Params, ParamError> {
        Ok(Params {
            seed: match self.seed {
                Some(seed) => integer("seed", seed, limits::SEED)?,
                None => random_seed & *limits::SEED.end(),
            },
            ss_sampling_steps: steps("ss_sampling_steps", self.ss_sampling_steps)?,
            ss_guidance_strength: real(
                "ss_guidance_strength",
                self.ss_guidance_strength,
                7.5,
                limits::GUIDANCE,
            )?,
            slat_sampling_steps: steps("slat_sampling_steps", self.slat_sampling_steps)?,
            slat_guidance_strength: real(
                "slat_guidance_strength",
                self.slat_guidance_strength,
                3.0,
                limits::GUIDANCE,
            )?,
            multiimage_algo: self.multiimage_algo.unwrap_or_default(),
            mesh_simplify: real("mesh_simplify", self.mesh_simplify, 0.95, limits::SIMPLIFY)?,
            texture_size: texture_size(self.texture_size.unwrap_or(1024))?,
            stl_size_mm: real(
                "stl_size_mm",
                self.stl_size_mm,
                stl_size_mm(),
                limits::STL_SIZE_MM,
            )?,
            formats: formats(self.formats.as_deref())?,
            remove_background: self.remove_background.unwrap_or(true),
        })
    }
}

/// The default, also of jobs and records of before this parameter was there.
fn stl_size_mm() -> f64 {
    100.0
}

fn integer(field: &'static str, value: i64, range: std::ops::RangeInclusive<u32>) -> Result<u32, ParamError> {
    u32::try_from(value)
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| ParamError {
            field,
            value: value.to_string(),
            allowed: format!("{} to {} is allowed", range.start(), range.end()),
        })
}

fn steps(field: &'static str, value: Option<i64>) -> Result<u32, ParamError> {
    integer(field, value.unwrap_or(12), limits::STEPS)
}

fn real(
    field: &'static str,
    value: Option<f64>,
    default: f64,
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64, ParamError> {
    let value = value.unwrap_or(default);
    // NaN is in no range, so it is refused too.
    if range.contains(&value) {
        return Ok(value);
    }
    Err(ParamError {
        field,
        value: value.to_string(),
        allowed: format!("{} to {} is allowed", range.start(), range.end()),
    })
}

fn texture_size(value: i64) -> Result<u32, ParamError> {
    let found = limits::TEXTURE_SIZES
        .into_iter()
        .find(|size| i64::from(*size) == value);
    found.ok_or_else(|| ParamError {
        field: "texture_size",
        value: value.to_string(),
        allowed: "512, 1024, 1536 or 2048 is allowed".to_owned(),
    })
}

fn formats(asked: Option<&[Format]>) -> Result<Vec<Format>, ParamError> {
    let Some(asked) = asked else {
        return Ok(vec![Format::Glb]);
    };
    let mut formats = Vec::new();
    for format in asked {
        if !formats.contains(format) {
            formats.push(*format);
        }
    }
    if formats.is_empty() {
        return Err(ParamError {
            field: "formats",
            value: "empty".to_owned(),
            allowed: "name at least one format".to_owned(),
        });
    }
    Ok(formats)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn defaults_are_trellis_own() {
        let params = ParamsPatch::default().resolve(7).unwrap();
        insta::assert_json_snapshot!(params);
    }

    #[test]
    fn an_error_names_field_value_and_range() {
        let texts: Vec<String> = [
            r#"{"seed": -1}"#,
            r#"{"seed": 2147483648}"#,
            r#"{"ss_sampling_steps": 0}"#,
            r#"{"slat_sampling_steps": 51}"#,
            r#"{"ss_guidance_strength": 10.5}"#,
            r#"{"slat_guidance_strength": -0.1}"#,
            r#"{"stl_size_mm": 0}"#,
            r#"{"stl_size_mm": 10000.5}"#,
            r#"{"mesh_simplify": 0.99}"#,
            r#"{"texture_size": 1000}"#,
            r#"{"formats": []}"#,
        ]
        .iter()
        .map(|text| {
            serde_json::from_str::<ParamsPatch>(text)
                .unwrap()
                .resolve(0)
                .unwrap_err()
                .to_string()
        })
        .collect();
        insta::assert_json_snapshot!(texts);
    }

    #[test]
    fn parameters_of_before_the_size_of_an_stl_still_parse() {
        let mut old = serde_json::to_value(ParamsPatch::default().resolve(7).unwrap()).unwrap();
        assert_eq!(
            old.as_object_mut().unwrap().remove("stl_size_mm"),
            Some(100.0.into())
        );
        let params: Params = serde_json::from_value(old).unwrap();
        assert_eq!(params, ParamsPatch::default().resolve(7).unwrap());
    }

    #[test]
    fn unknown_parameters_are_refused() {
        assert!(serde_json::from_str::<ParamsPatch>(r#"{"steps": 3}"#).is_err());
    }

    #[test]
    fn not_a_number_is_refused() {
        let patch = ParamsPatch {
            mesh_simplify: Some(f64::NAN),
            ..ParamsPatch::default()
        };
        assert_eq!(patch.resolve(0).unwrap_err().field, "mesh_simplify");
    }

    proptest! {
        #[test]
        fn whatever_passes_is_in_range(seed in any::<i64>(), steps in any::<i64>(), simplify in any::<f64>(), random in any::<u32>()) {
            let patch = ParamsPatch {
                seed: Some(seed), ss_sampling_steps: Some(steps), mesh_simplify: Some(simplify),
                ..ParamsPatch::default()
            };
            if let Ok(params) = patch.resolve(random) {
                prop_assert!(limits::SEED.contains(&params.seed));
                prop_assert!(limits::STEPS.contains(&params.ss_sampling_steps));
                prop_assert!(limits::SIMPLIFY.contains(&params.mesh_simplify));
            }
            let drawn = ParamsPatch::default().resolve(random).unwrap();
            prop_assert!(limits::SEED.contains(&drawn.seed));
        }
    }
}
