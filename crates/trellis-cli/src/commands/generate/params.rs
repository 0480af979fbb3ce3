//! The parameters of a generation as flags, by TRELLIS's own names. Ranges and defaults are read from
//! `trellis-core`, which also checks them.

use std::fmt::Display;
use std::ops::RangeInclusive;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use trellis_core::{Format, MultiImageAlgorithm, Params, ParamsPatch, limits};

use crate::numbers;

/// One flag a parameter; what is not given takes its default.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Parameters")]
pub(crate) struct ParamFlags {
    #[arg(long, value_parser = numbers::parse::<i64>, allow_negative_numbers = true, value_name = "NUMBER",
        help = format!("Seed of all random numbers, {}; default: a random one, which is reported", span(&limits::SEED)))]
    seed: Option<i64>,

    #[arg(long, value_parser = numbers::parse::<i64>, allow_negative_numbers = true, value_name = "NUMBER",
        help = number("Sampler steps for the sparse structure", &limits::STEPS, defaults().ss_sampling_steps))]
    ss_sampling_steps: Option<i64>,

    #[arg(long, value_parser = numbers::parse::<f64>, allow_negative_numbers = true, value_name = "NUMBER",
        help = number("Guidance for the sparse structure", &limits::GUIDANCE, defaults().ss_guidance_strength))]
    ss_guidance_strength: Option<f64>,

    #[arg(long, value_parser = numbers::parse::<i64>, allow_negative_numbers = true, value_name = "NUMBER",
        help = number("Sampler steps for the structured latent", &limits::STEPS, defaults().slat_sampling_steps))]
    slat_sampling_steps: Option<i64>,

    #[arg(long, value_parser = numbers::parse::<f64>, allow_negative_numbers = true, value_name = "NUMBER",
        help = number("Guidance for the structured latent", &limits::GUIDANCE, defaults().slat_guidance_strength))]
    slat_guidance_strength: Option<f64>,

    #[arg(long, value_name = "NAME", value_parser = algorithms(),
        help = format!("How several views are combined; default {}", defaults().multiimage_algo.name()))]
    multiimage_algo: Option<MultiImageAlgorithm>,

    #[arg(long, value_parser = numbers::parse::<f64>, allow_negative_numbers = true, value_name = "SHARE",
        help = number("Share of the triangles to remove", &limits::SIMPLIFY, defaults().mesh_simplify))]
    mesh_simplify: Option<f64>,

    #[arg(long, value_parser = numbers::parse::<i64>, allow_negative_numbers = true, value_name = "PIXELS",
        help = format!("Side of the texture, one of {:?}; default {}", limits::TEXTURE_SIZES, defaults().texture_size))]
    texture_size: Option<i64>,

    #[arg(long, value_parser = numbers::parse::<f64>, allow_negative_numbers = true, value_name = "MM",
        help = number("Longest side of an STL in millimetres", &limits::STL_SIZE_MM, defaults().stl_size_mm))]
    stl_size_mm: Option<f64>,

    #[arg(long, value_name = "BOOL",
        help = format!("Remove the background of a picture without an alpha channel; default {}", defaults().remove_background))]
    remove_background: Option<bool>,
}

impl ParamFlags {
    /// What is asked for, not checked yet.
    pub(crate) fn patch(&self, formats: &[Format]) -> ParamsPatch {
        ParamsPatch {
            seed: self.seed,
            ss_sampling_steps: self.ss_sampling_steps,
            ss_guidance_strength: self.ss_guidance_strength,
            slat_sampling_steps: self.slat_sampling_steps,
            slat_guidance_strength: self.slat_guidance_strength,
            multiimage_algo: self.multiimage_algo,
            mesh_simplify: self.mesh_simplify,
            texture_size: self.texture_size,
            stl_size_mm: self.stl_size_mm,
            formats: Some(formats.to_vec()),
            remove_background: self.remove_background,
        }
    }
}

fn defaults() -> Params {
    ParamsPatch::default().resolve(0).expect("defaults are in range")
}

fn span(range: &RangeInclusive<impl Display>) -> String {
    format!("{} to {}", range.start(), range.end())
}

fn number<T: Display>(about: &str, range: &RangeInclusive<T>, default: T) -> String {
    format!("{about}, {}; default {default}", span(range))
}

fn algorithms() -> impl clap::builder::TypedValueParser<Value = MultiImageAlgorithm> {
    PossibleValuesParser::new(MultiImageAlgorithm::ALL.map(MultiImageAlgorithm::name))
        .try_map(|name| name.parse::<MultiImageAlgorithm>())
}
