//! Checks what `pipeline.json` says besides checkpoint names: pipeline, roles, samplers, conditioning.
//!
//! Source: the pipelines' `from_pretrained` and the signatures in `pipelines/samplers/flow_euler.py`, of TRELLIS and of
//! TRELLIS.2. An argument that a sampler does not know travels on to the model's `forward`, which refuses it.

use serde_json::Value;
use trellis_core::Model;

use crate::extras::{CLIP, Dinov2};
use crate::pipeline::{Encoder, IMAGE, Normalization, Pipeline, Sampler};
use crate::problem::{EVERYTHING, Problem};
use crate::role::{Need, Role};

/// What every sampler takes.
const COMMON: [&str; 3] = ["steps", "rescale_t", "verbose"];

/// The samplers, and the parameters that each takes besides in TRELLIS and in TRELLIS.2.
const SAMPLERS: [(&str, &[&str], &[&str]); 3] = [
    ("FlowEulerSampler", &[], &[]),
    (
        "FlowEulerCfgSampler",
        &["cfg_strength"],
        &["guidance_strength", "guidance_rescale"],
    ),
    (
        "FlowEulerGuidanceIntervalSampler",
        &["cfg_strength", "cfg_interval"],
        &["guidance_strength", "guidance_rescale", "guidance_interval"],
    ),
];

/// TRELLIS.2's encoder of pictures, and the width of its features.
const DINOV3: (&str, u64) = ("DinoV3FeatureExtractor", 1024);

/// The network whose features condition the flow models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConditionNetwork {
    /// As named in `pipeline.json`.
    pub(crate) name: String,
    /// Width of its features.
    pub(crate) width: u64,
}

/// The network that a pipeline conditions on, if it is a known one.
pub(crate) fn condition_width(pipeline: &Pipeline) -> Option<ConditionNetwork> {
    let args = &pipeline.args;
    let encoder = match &args.image_cond_model {
        Some(Encoder::Named(name)) => Some((name, Dinov2::from_name(name)?.width)),
        Some(Encoder::Built { name, .. }) => (name == DINOV3.0).then_some((name, DINOV3.1)),
        None => None,
    };
    if let Some((name, width)) = encoder {
        return Some(ConditionNetwork {
            name: name.clone(),
            width,
        });
    }
    let name = args.text_cond_model.as_deref().filter(|name| *name == CLIP.0)?;
    Some(ConditionNetwork {
        name: name.to_owned(),
        width: CLIP.1,
    })
}

/// Adds what is wrong with the settings.
pub(crate) fn check(pipeline: &Pipeline, problems: &mut Vec<Problem>) {
    let Some(model) = pipeline.model() else {
        problems.push(Problem::PipelineUnknown {
            name: pipeline.name.clone(),
        });
        return;
    };
    for role in Role::ALL.into_iter().filter(|role| role.is_of(model)) {
        let lost = match role.needed_for() {
            Need::Everything => EVERYTHING,
            Need::Format(lost) => lost,
            Need::Nothing => continue,
        };
        if !pipeline.args.models.contains_key(role.name()) {
            problems.push(Problem::RoleMissing {
                role: role.name(),
                lost,
            });
        }
    }
    let mut faults = Faults(problems);
    let args = &pipeline.args;
    let structure = args.sparse_structure_sampler.as_ref();
    sampler("sparse_structure_sampler", structure, model, &mut faults);
    // TRELLIS has one structured latent, TRELLIS.2 one of the shape and one of the texture.
    let latents = match model {
        Model::TrellisImageLarge => vec![("slat", &args.slat_sampler, &args.slat_normalization)],
        Model::Trellis2 => vec![
            (
                "shape_slat",
                &args.shape_slat_sampler,
                &args.shape_slat_normalization,
            ),
            ("tex_slat", &args.tex_slat_sampler, &args.tex_slat_normalization),
        ],
    };
    for (latent, given, normalized) in latents {
        sampler(&format!("{latent}_sampler"), given.as_ref(), model, &mut faults);
        normalization(
            &format!("{latent}_normalization"),
            normalized.as_ref(),
            &mut faults,
        );
    }
    encoder(pipeline, model, &mut faults);
}

fn encoder(pipeline: &Pipeline, model: Model, faults: &mut Faults<'_>) {
    let args = &pipeline.args;
    if model == Model::TrellisImageLarge && pipeline.name != IMAGE {
        if args.text_cond_model.is_none() {
            faults.add("text_cond_model", "is missing");
        }
        return;
    }
    let setting = "image_cond_model";
    let (given, wanted) = match (&args.image_cond_model, model) {
        (None, _) => return faults.add(setting, "is missing"),
        (Some(Encoder::Named(name)), Model::TrellisImageLarge) if Dinov2::from_name(name).is_some() => return,
        (Some(Encoder::Built { name, .. }), Model::Trellis2) if name == DINOV3.0 => return,
        (Some(Encoder::Named(name) | Encoder::Built { name, .. }), Model::TrellisImageLarge) => {
            (name, "not a DINOv2 network that torch.hub loads")
        }
        (Some(Encoder::Named(name) | Encoder::Built { name, .. }), Model::Trellis2) => {
            (name, "not the encoder that TRELLIS.2 was trained with")
        }
    };
    faults.add(setting, format!("is `{given}`, which is {wanted}"));
}

struct Faults<'a>(&'a mut Vec<Problem>);

impl Faults<'_> {
    fn add(&mut self, setting: impl Into<String>, fault: impl Into<String>) {
        self.0.push(Problem::Setting {
            setting: setting.into(),
            fault: fault.into(),
        });
    }
}

fn sampler(setting: &str, sampler: Option<&Sampler>, model: Model, faults: &mut Faults<'_>) {
    let Some(sampler) = sampler else {
        return faults.add(setting, "is missing");
    };
    let Some((_, first, second)) = SAMPLERS.iter().find(|(name, ..)| *name == sampler.name) else {
        let fault = format!("is `{}`, which TRELLIS does not have", sampler.name);
        return faults.add(format!("{setting}.name"), fault);
    };
    let known = match model {
        Model::TrellisImageLarge => first,
        Model::Trellis2 => second,
    };
    if !sampler.args.get("sigma_min").is_some_and(Value::is_number) {
        faults.add(format!("{setting}.args.sigma_min"), "must be a number");
    }
    for (name, value) in &sampler.params {
        let wanted = if COMMON.iter().chain(*known).any(|known| known == name) {
            wrong_parameter(name, value)
        } else {
            Some("is not a parameter of this sampler")
        };
        if let Some(fault) = wanted {
            faults.add(format!("{setting}.params.{name}"), fault);
        }
    }
}

fn wrong_parameter(name: &str, value: &Value) -> Option<&'static str> {
    let positive = value.as_f64().is_some_and(|number| number > 0.0);
    match name {
        "steps" if value.as_u64().is_none_or(|steps| steps == 0) => {
            Some("must be a whole number of at least 1")
        }
        "rescale_t" if !positive => Some("must be a number above 0"),
        "cfg_strength" | "guidance_strength" | "guidance_rescale" if !value.is_number() => {
            Some("must be a number")
        }
        "cfg_interval" | "guidance_interval" if !is_interval(value) => {
            Some("must be two numbers, the first not above the second")
        }
        _ => None,
    }
}

fn is_interval(value: &Value) -> bool {
    let ends = value.as_array().map(Vec::as_slice);
    let Some([from, to]) = ends else { return false };
    matches!((from.as_f64(), to.as_f64()), (Some(from), Some(to)) if from <= to)
}

fn normalization(setting: &str, given: Option<&Normalization>, faults: &mut Faults<'_>) {
    match given {
        None => faults.add(setting, "is missing"),
        Some(n) if n.mean.len() != n.std.len() || n.mean.is_empty() => {
            faults.add(
                setting,
                "must have as many means as deviations, one per latent channel",
            );
        }
        Some(n) if n.std.iter().any(|std| *std <= 0.0) => {
            faults.add(format!("{setting}.std"), "must be above 0 throughout");
        }
        Some(_) => {}
    }
}
