//! Checks what `pipeline.json` says besides checkpoint names: pipeline, roles, samplers, conditioning.
//!
//! Source: the two pipelines' `from_pretrained` and the signatures in `pipelines/samplers/flow_euler.py`. An
//! argument that a sampler does not know travels on to the model's `forward`, which refuses it.

use serde_json::Value;

use crate::extras::{CLIP, Dinov2};
use crate::pipeline::{Normalization, Pipeline, Sampler};
use crate::problem::{EVERYTHING, Problem};
use crate::role::{Need, Role};

const IMAGE: &str = "TrellisImageTo3DPipeline";
const TEXT: &str = "TrellisTextTo3DPipeline";

/// The samplers and the parameters that each takes.
const SAMPLERS: [(&str, &[&str]); 3] = [
    ("FlowEulerSampler", &["steps", "rescale_t", "verbose"]),
    (
        "FlowEulerCfgSampler",
        &["steps", "rescale_t", "verbose", "cfg_strength"],
    ),
    (
        "FlowEulerGuidanceIntervalSampler",
        &["steps", "rescale_t", "verbose", "cfg_strength", "cfg_interval"],
    ),
];

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
    if let Some(name) = args.image_cond_model.as_deref() {
        let width = Dinov2::from_name(name)?.width;
        return Some(ConditionNetwork {
            name: name.to_owned(),
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
    if pipeline.name != IMAGE && pipeline.name != TEXT {
        problems.push(Problem::PipelineUnknown {
            name: pipeline.name.clone(),
        });
        return;
    }
    for role in Role::ALL {
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
    sampler(
        "sparse_structure_sampler",
        args.sparse_structure_sampler.as_ref(),
        &mut faults,
    );
    sampler("slat_sampler", args.slat_sampler.as_ref(), &mut faults);
    normalization(args.slat_normalization.as_ref(), &mut faults);
    match (
        pipeline.name == IMAGE,
        &args.image_cond_model,
        &args.text_cond_model,
    ) {
        (true, None, _) => faults.add("image_cond_model", "is missing"),
        (true, Some(name), _) if Dinov2::from_name(name).is_none() => faults.add(
            "image_cond_model",
            format!("is `{name}`, which is not a DINOv2 network that torch.hub loads"),
        ),
        (false, _, None) => faults.add("text_cond_model", "is missing"),
        _ => {}
    }
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

fn sampler(setting: &str, sampler: Option<&Sampler>, faults: &mut Faults<'_>) {
    let Some(sampler) = sampler else {
        return faults.add(setting, "is missing");
    };
    let Some((_, known)) = SAMPLERS.iter().find(|(name, _)| *name == sampler.name) else {
        let fault = format!("is `{}`, which TRELLIS does not have", sampler.name);
        return faults.add(format!("{setting}.name"), fault);
    };
    if !sampler.args.get("sigma_min").is_some_and(Value::is_number) {
        faults.add(format!("{setting}.args.sigma_min"), "must be a number");
    }
    for (name, value) in &sampler.params {
        let wanted = if known.contains(&name.as_str()) {
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
        "cfg_strength" if !value.is_number() => Some("must be a number"),
        "cfg_interval" if !is_interval(value) => Some("must be two numbers, the first not above the second"),
        _ => None,
    }
}

fn is_interval(value: &Value) -> bool {
    let ends = value.as_array().map(Vec::as_slice);
    let Some([from, to]) = ends else { return false };
    matches!((from.as_f64(), to.as_f64()), (Some(from), Some(to)) if from <= to)
}

fn normalization(given: Option<&Normalization>, faults: &mut Faults<'_>) {
    let setting = "slat_normalization";
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
