//! Do the packages fit the pinned set and each other?

use serde_json::Value;
use trellis_pins::Pins;

use crate::environment::Environment;
use crate::finding::{Check, Diagnosis, Finding, Level};
use crate::packages::{Packages, Version};

/// What TRELLIS cannot be imported without, by the names that provide it. spconv and cumm are published
/// under one name for each CUDA release.
const NEEDED: [(&str, &[&str]); 5] = [
    ("torch", &["torch"]),
    ("xformers", &["xformers", "flash-attn"]),
    ("spconv", &["spconv", "spconv-cu"]),
    ("kaolin", &["kaolin"]),
    ("nvdiffrast", &["nvdiffrast"]),
];

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

/// How the packages fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionProblem {
    /// As pinned.
    #[error("{} as pinned", versions.join(", "))]
    AsPinned {
        /// Name and version of each.
        versions: Vec<String>,
    },
    /// Another version than pinned.
    #[error("is {here}, and {pinned} is pinned")]
    NotPinned {
        /// Installed.
        here: String,
        /// In the pins.
        pinned: String,
    },
    /// Not there at all.
    #[error("is not installed, and TRELLIS needs it")]
    NotInstalled {
        /// In the pins, if it is a wheel there.
        pinned: Option<String>,
    },
    /// A requirement of a package that another does not meet.
    #[error("requires {requirement}, and {here} is here")]
    RequirementUnmet {
        /// As declared.
        requirement: String,
        /// The version of the required package.
        here: String,
    },
    /// xformers was built with another torch or CUDA than there is.
    #[error("was built for {what} {built}, and {here} is here")]
    BuiltForOther {
        /// `torch` or `CUDA`.
        what: &'static str,
        /// By its own record.
        built: String,
        /// Installed.
        here: String,
    },
    /// Another Python than pinned.
    #[error("is {here}, and {pinned} is pinned")]
    OtherPython {
        /// Of the environment.
        here: String,
        /// In the pins.
        pinned: String,
    },
    /// torch is for another CUDA than pinned.
    #[error("is built for CUDA {here}, and {pinned} is pinned")]
    OtherCuda {
        /// torch's own.
        here: String,
        /// In the pins.
        pinned: String,
    },
}

impl Diagnosis for VersionProblem {
    fn kind(&self) -> &'static str {
        match self {
            Self::AsPinned { .. } => "as_pinned",
            Self::NotPinned { .. } => "not_pinned",
            Self::NotInstalled { .. } => "not_installed",
            Self::RequirementUnmet { .. } => "requirement_unmet",
            Self::BuiltForOther { .. } => "built_for_other",
            Self::OtherPython { .. } => "other_python",
            Self::OtherCuda { .. } => "other_cuda",
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::AsPinned { .. } => Level::Ok,
            Self::NotInstalled { .. } => Level::Error,
            // A compiled part built for exactly one torch; other requirements are often narrower than needed.
            Self::RequirementUnmet { requirement, .. } if requirement.starts_with("torch=") => Level::Error,
            Self::NotPinned { .. }
            | Self::RequirementUnmet { .. }
            | Self::BuiltForOther { .. }
            | Self::OtherPython { .. }
            | Self::OtherCuda { .. } => Level::Warn,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::AsPinned { .. } => String::new(),
            Self::NotPinned { pinned, .. } | Self::NotInstalled { pinned: Some(pinned) } => {
                format!("install {pinned}, or use the flake's environment")
            }
            Self::NotInstalled { pinned: None } => "install it, or use the flake's environment".to_owned(),
            Self::RequirementUnmet { requirement, .. } => format!("install `{requirement}`"),
            Self::BuiltForOther { what, built, .. } => {
                format!("install {what} {built}, or a build of this package for what is here")
            }
            Self::OtherPython { pinned, .. } => {
                format!("use Python {pinned}: the pinned wheels are compiled for it")
            }
            Self::OtherCuda { pinned, .. } => format!("install the torch that is built for CUDA {pinned}"),
        }
    }
}

/// Runs the check.
pub(crate) fn check(environment: &Environment, packages: &Packages, pins: &Pins) -> Vec<Finding> {
    let finding = |subject: &str, problem: &VersionProblem| Finding::new(Check::Versions, subject, problem);
    let mut findings = Vec::new();
    let mut as_pinned = Vec::new();
    for name in COMPARED {
        let pinned = pinned(name, pins);
        match (packages.version(name), pinned) {
            (Some(here), Some(pinned)) if same(here, pinned) => as_pinned.push(format!("{name} {here}")),
            (Some(here), Some(pinned)) => {
                let (here, pinned) = (here.to_owned(), pinned.to_owned());
                findings.push(finding(name, &VersionProblem::NotPinned { here, pinned }));
            }
            _ => {}
        }
    }
    if !as_pinned.is_empty() {
        findings.push(finding(
            "packages",
            &VersionProblem::AsPinned { versions: as_pinned },
        ));
    }
    findings.extend(
        missing(packages, pins)
            .iter()
            .map(|(name, problem)| finding(name, problem)),
    );
    findings.extend(
        unmet(packages)
            .iter()
            .map(|(name, problem)| finding(name, problem)),
    );
    findings.extend(
        recorded_build(packages)
            .iter()
            .map(|problem| finding("xformers", problem)),
    );
    findings.extend(
        interpreter(environment, pins)
            .iter()
            .map(|problem| finding("Python", problem)),
    );
    let cuda = packages.torch_cuda().filter(|here| *here != pins.cuda.version);
    let cuda = cuda.map(|here| VersionProblem::OtherCuda {
        here,
        pinned: pins.cuda.version.clone(),
    });
    findings.extend(cuda.iter().map(|problem| finding("torch", problem)));
    findings
}

fn pinned<'pins>(name: &str, pins: &'pins Pins) -> Option<&'pins str> {
    let wheel = pins.wheels.get(name).map(|wheel| wheel.version.as_str());
    wheel.or_else(|| pins.sources.get(name).map(|source| source.version.as_str()))
}

fn same(a: &str, b: &str) -> bool {
    match (Version::parse(a), Version::parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn missing(packages: &Packages, pins: &Pins) -> Vec<(&'static str, VersionProblem)> {
    let provides = |name: &str, by: &str| {
        let cuda_release = name
            .strip_prefix(by)
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        name == by || (by.ends_with("-cu") && cuda_release)
    };
    let absent = NEEDED.into_iter().filter(|(_, by)| {
        let mut names = packages.iter().map(|package| package.name.as_str());
        !names.any(|name| by.iter().any(|by| provides(name, by)))
    });
    absent
        .map(|(name, _)| {
            let pinned = pinned(name, pins).map(|version| format!("{name} {version}"));
            (name, VersionProblem::NotInstalled { pinned })
        })
        .collect()
}

/// Declared requirements between installed packages that do not hold.
fn unmet(packages: &Packages) -> Vec<(String, VersionProblem)> {
    let mut unmet = Vec::new();
    for package in packages.iter() {
        for requirement in &package.requires {
            let Some(here) = packages.version(&requirement.name) else {
                continue;
            };
            let fits = Version::parse(here).is_none_or(|version| requirement.allows(&version));
            if !fits {
                let problem = VersionProblem::RequirementUnmet {
                    requirement: requirement.to_string(),
                    here: here.to_owned(),
                };
                unmet.push((package.name.clone(), problem));
            }
        }
    }
    unmet
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
            (!same(&built, &here)).then_some(VersionProblem::BuiltForOther { what, built, here })
        })
        .collect()
}

fn interpreter(environment: &Environment, pins: &Pins) -> Option<VersionProblem> {
    let here = environment.python?.to_string();
    let pinned = pins.python.version.clone();
    (here != pinned).then_some(VersionProblem::OtherPython { here, pinned })
}
