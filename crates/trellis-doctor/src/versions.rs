//! Do the packages fit the pinned set and each other?

use std::collections::BTreeMap;

use pep508_rs::{ExtraName, MarkerEnvironment};
use serde_json::Value;
use trellis_core::Model;
use trellis_pins::Pins;

use crate::environment::{Environment, PythonVersion};
use crate::finding::{Check, Finding, Findings, Level, diagnoses};
use crate::packages::{Packages, requirements};

/// Packages whose version decides whether the compiled parts fit; others may differ from the pins.
const COMPARED: [&str; 7] = [
    "torch",
    "torchvision",
    "triton",
    "xformers",
    "spconv-cu126",
    "cumm-cu126",
    "kaolin",
];

diagnoses! {
    /// How the packages fit. `here` is installed, `pinned` stands in the pins.
    #[derive(Clone, PartialEq, Eq)]
    enum VersionProblem {
        #[error("{} as pinned", versions.join(", "))]
        AsPinned { versions: Vec<String> } = "as_pinned", Level::Ok, "";
        #[error("is {here}, and {pinned} is pinned")]
        NotPinned { here: String, pinned: String } = "not_pinned", Level::Warn,
            format!("install {pinned}, or use the flake's environment");
        /// Whether TRELLIS gets as far as to need it, the imports tell.
        #[error("requires {requirement}, which is not installed")]
        RequirementMissing { requirement: String } = "requirement_missing", Level::Warn,
            format!("install `{requirement}`");
        /// torch says so itself.
        #[error("is built without CUDA")]
        WithoutCuda { pinned: String } = "torch_without_cuda", Level::Error,
            format!("install the torch that is built for CUDA {pinned}");
        /// `torch`: it is an exact one, for which a compiled part was built; other requirements are often narrower
        /// than needed.
        #[error("requires {requirement}, and {here} is here")]
        RequirementUnmet { requirement: String, here: String, torch: bool } = "requirement_unmet",
            if *torch { Level::Error } else { Level::Warn }, format!("install `{requirement}`");
        /// xformers, by its own record.
        #[error("was built for {what} {built}, and {here} is here")]
        BuiltForOther { what: &'static str, built: String, here: String } = "built_for_other", Level::Warn,
            format!("install {what} {built}, or a build of this package for what is here");
        /// 5 keeps the encoder's layers under another name, and before 4.56 there is none.
        #[error("is {here}: TRELLIS.2 finds DINOv3's layers in 4.56 and 4.57 only")]
        OtherTransformers { here: String, pinned: String } = "transformers_unfit", Level::Error,
            format!("install transformers {pinned}");
        #[error("is {here}, and {pinned} is pinned")]
        OtherPython { here: String, pinned: String } = "other_python", Level::Warn,
            format!("use Python {pinned}: the pinned wheels are compiled for it");
        #[error("is built for CUDA {here}, and {pinned} is pinned")]
        OtherCuda { here: String, pinned: String } = "other_cuda", Level::Warn,
            format!("install the torch that is built for CUDA {pinned}");
    }
}

/// Runs the check.
pub(crate) fn check(
    environment: &Environment,
    packages: &Packages,
    pins: &Pins,
    models: &[Model],
) -> Vec<Finding> {
    let mut findings = Findings::of(Check::Versions);
    let mut as_pinned = Vec::new();
    for name in COMPARED {
        let pinned = pinned(name, pins);
        match (packages.version(name), pinned) {
            (Some(here), Some(pinned)) if requirements::same(here, pinned) => {
                as_pinned.push(format!("{name} {here}"));
            }
            (Some(here), Some(pinned)) => {
                let (here, pinned) = (here.to_owned(), pinned.to_owned());
                findings.say(name, &VersionProblem::NotPinned { here, pinned });
            }
            _ => {}
        }
    }
    if !as_pinned.is_empty() {
        findings.say("packages", &VersionProblem::AsPinned { versions: as_pinned });
    }
    findings.say_each(unmet(environment, packages));
    findings.say_all("xformers", recorded_build(packages));
    findings.say_all("Python", interpreter(environment, pins));
    if models.contains(&Model::Trellis2) {
        findings.say_all("transformers", transformers(packages, pins));
    }
    if packages.torch_without_cuda() {
        let pinned = pins.cuda.version.clone();
        findings.say("torch", &VersionProblem::WithoutCuda { pinned });
    }
    let cuda = packages.torch_cuda().filter(|here| *here != pins.cuda.version);
    let cuda = cuda.map(|here| VersionProblem::OtherCuda {
        here,
        pinned: pins.cuda.version.clone(),
    });
    findings.say_all("torch", cuda);
    findings.into_vec()
}

fn pinned<'pins>(name: &str, pins: &'pins Pins) -> Option<&'pins str> {
    let wheel = pins.wheels.get(name).map(|wheel| wheel.version.as_str());
    wheel.or_else(|| pins.sources.get(name).map(|source| source.version.as_str()))
}

/// Requirements that apply here and do not hold. Of a package that the environment lacks, only the parts of
/// TRELLIS's own set are told.
fn unmet(environment: &Environment, packages: &Packages) -> Vec<(String, VersionProblem)> {
    let python = environment
        .python
        .unwrap_or(PythonVersion { major: 3, minor: 12 });
    let Some(markers) = requirements::markers(python) else {
        return Vec::new();
    };
    let extras = extras(packages, &markers);
    let mut unmet = Vec::new();
    for package in packages.iter() {
        let asked = extras.get(&package.name).map_or(&[][..], Vec::as_slice);
        let applying = package
            .requires
            .iter()
            .filter(|one| one.evaluate_markers(&markers, asked));
        for requirement in applying {
            let text = requirements::text(requirement);
            let problem = match packages.version(requirement.name.as_ref()) {
                None if is_met_otherwise(requirement.name.as_ref(), packages) => continue,
                None => VersionProblem::RequirementMissing { requirement: text },
                Some(here) if requirements::fits(requirement, here) => continue,
                Some(here) => VersionProblem::RequirementUnmet {
                    torch: requirement.name.as_ref() == "torch" && requirements::is_exact(requirement),
                    requirement: text,
                    here: here.to_owned(),
                },
            };
            unmet.push((package.name.clone(), problem));
        }
    }
    unmet
}

/// The extras that packages ask for of others, such as `http` of `fsspec[http]`, by the others' names.
fn extras(packages: &Packages, markers: &MarkerEnvironment) -> BTreeMap<String, Vec<ExtraName>> {
    let mut extras: BTreeMap<String, Vec<ExtraName>> = BTreeMap::new();
    // An extra may ask for another package's extra in turn; a chain of these is short.
    for _ in 0..4 {
        let mut more = false;
        for package in packages.iter() {
            let asked = extras.get(&package.name).cloned().unwrap_or_default();
            let applying = package
                .requires
                .iter()
                .filter(|one| one.evaluate_markers(markers, &asked));
            for requirement in applying {
                let of = extras.entry(requirement.name.to_string()).or_default();
                for extra in &requirement.extras {
                    if !of.contains(extra) {
                        of.push(extra.clone());
                        more = true;
                    }
                }
            }
        }
        if !more {
            break;
        }
    }
    extras
}

/// Packages of which any brings the same modules.
const ALIKE: [&[&str]; 3] = [
    &[
        "onnxruntime",
        "onnxruntime-gpu",
        "onnxruntime-openvino",
        "onnxruntime-directml",
    ],
    &[
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
        "opencv",
    ],
    &["triton", "pytorch-triton"],
];

/// Whether the modules of a package come from another, or it holds libraries only, which the ABI check looks for.
fn is_met_otherwise(name: &str, packages: &Packages) -> bool {
    let alike = ALIKE.iter().find(|names| names.contains(&name));
    let other = alike.is_some_and(|names| names.iter().any(|name| packages.get(name).is_some()));
    other || (name.starts_with("nvidia-") && name.contains("-cu"))
}

/// What xformers' `cpp_lib.json` says of its build, where it differs.
fn recorded_build(packages: &Packages) -> Vec<VersionProblem> {
    let record = packages.file("xformers/cpp_lib.json");
    let Some(record) = record.and_then(|(_, text)| serde_json::from_str::<Value>(&text).ok()) else {
        return Vec::new();
    };
    let version = &record["version"];
    // 1208 for 12.8
    let cuda = version["cuda"]
        .as_u64()
        .map(|number| format!("{}.{}", number / 100, number % 100));
    let pairs = [
        (
            "torch",
            version["torch"].as_str().map(str::to_owned),
            packages.torch(),
        ),
        ("CUDA", cuda, packages.torch_cuda()),
    ];
    pairs
        .into_iter()
        .filter_map(|(what, built, here)| {
            let (built, here) = (built?, here?);
            (!requirements::same(&built, &here)).then_some(VersionProblem::BuiltForOther {
                what,
                built,
                here,
            })
        })
        .collect()
}

/// The releases of transformers that have DINOv3 as TRELLIS.2 reads it.
const TRANSFORMERS: &str = "transformers>=4.56,<5";

fn transformers(packages: &Packages, pins: &Pins) -> Option<VersionProblem> {
    let here = packages.version("transformers")?.to_owned();
    let range = requirements::parse(TRANSFORMERS)?;
    let pinned = pinned("transformers", pins).unwrap_or_default().to_owned();
    (!requirements::fits(&range, &here)).then_some(VersionProblem::OtherTransformers { here, pinned })
}

fn interpreter(environment: &Environment, pins: &Pins) -> Option<VersionProblem> {
    let here = environment.python?.to_string();
    let pinned = pins.python.version.clone();
    (here != pinned).then_some(VersionProblem::OtherPython { here, pinned })
}
