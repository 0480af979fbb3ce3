//! Environment variables that change TRELLIS or its libraries without a word.

use std::fs;
use std::path::Path;

use crate::finding::{Check, Diagnosis, Finding, Level};
use trellis_core::Capability;

/// Variables of TRELLIS that take one of a few names; another is ignored, and the default is taken.
const CHOICES: [(&str, &[&str], &str); 4] = [
    (
        "ATTN_BACKEND",
        &["flash_attn", "xformers", "sdpa", "naive"],
        "flash_attn",
    ),
    ("SPARSE_ATTN_BACKEND", &["xformers", "flash_attn"], "flash_attn"),
    ("SPARSE_BACKEND", &["spconv", "torchsparse"], "spconv"),
    ("SPCONV_ALGO", &["auto", "implicit_gemm", "native"], "auto"),
];

/// Values of `ATTN_BACKEND` that the sparse half, which takes the same variable, ignores.
const DENSE_ONLY: [&str; 2] = ["sdpa", "naive"];

/// From here on the fp32 operator of xformers and kernels of cumm are missing.
const LAST_SERVED: Capability = Capability { major: 9, minor: 0 };

/// Libraries that must come from the environment: another copy in front of it breaks it.
const FOREIGN: [&str; 6] = [
    "libtorch",
    "libc10",
    "libcudart",
    "libcublas",
    "libstdc++",
    "libpython3",
];

/// A variable that changes something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableProblem {
    /// Nothing to say.
    #[error("nothing that changes TRELLIS unexpectedly")]
    Fine,
    /// A name that TRELLIS does not know.
    #[error("`{value}` is not one of {}: TRELLIS ignores it and uses {default}", known.join(", "))]
    Ignored {
        /// As set.
        value: String,
        /// What it takes.
        known: Vec<&'static str>,
        /// What is used instead.
        default: &'static str,
    },
    /// A name that only the dense half of TRELLIS knows.
    #[error("is `{value}`, which TRELLIS's sparse attention does not know: it uses flash_attn there")]
    DenseOnly {
        /// As set.
        value: String,
    },
    /// Not set, and flash-attn is the default.
    #[error("is not set: TRELLIS uses flash_attn, which the pinned set does not have")]
    AttentionUnset,
    /// Not set on a GPU where DINOv2 needs it.
    #[error(
        "is not set: on capability {capability} DINOv2 would ask xformers for an fp32 operator that it lacks"
    )]
    XformersEnabled {
        /// Of the GPU.
        capability: Capability,
    },
    /// An algorithm that compiles at run time.
    #[error(
        "is `{value}`: on capability {capability} spconv may compile kernels at run time with a compiler that does not know it"
    )]
    SpconvCompiles {
        /// As set, or the default.
        value: String,
        /// Of the GPU.
        capability: Capability,
    },
    /// Packages in front of the environment's.
    #[error("puts {folders} before the environment's own packages")]
    ForeignPackages {
        /// As set.
        folders: String,
    },
    /// Libraries in front of the environment's.
    #[error("has libraries that may be loaded instead of the environment's")]
    ForeignLibraries {
        /// Which.
        files: Vec<String>,
    },
    /// Downloads at run time.
    #[error("is not set: a missing model file would be downloaded at the first job")]
    Online,
    /// No GPU is visible.
    #[error("is `{value}`: no GPU is visible to CUDA")]
    NoDevice {
        /// As set.
        value: String,
    },
}

impl Diagnosis for VariableProblem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Fine => "variables_fine",
            Self::Ignored { .. } | Self::DenseOnly { .. } => "value_ignored",
            Self::AttentionUnset => "attention_unset",
            Self::XformersEnabled { .. } => "xformers_enabled",
            Self::SpconvCompiles { .. } => "spconv_compiles",
            Self::ForeignPackages { .. } => "foreign_packages",
            Self::ForeignLibraries { .. } => "foreign_libraries",
            Self::Online => "online",
            Self::NoDevice { .. } => "no_device",
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Fine => Level::Ok,
            _ => Level::Warn,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Fine => "",
            Self::Ignored { known, .. } if known.contains(&"xformers") => "set it to `xformers`",
            Self::DenseOnly { .. } => "set it to `xformers`, or `SPARSE_ATTN_BACKEND=xformers` beside it",
            Self::Ignored { known, .. } if known.contains(&"native") => "set it to `native`",
            Self::Ignored { .. } => "unset it",
            Self::AttentionUnset => "set `ATTN_BACKEND=xformers`",
            Self::XformersEnabled { .. } => "set `XFORMERS_DISABLED=1`",
            Self::SpconvCompiles { .. } => "set `SPCONV_ALGO=native`",
            Self::ForeignPackages { .. } => "unset `PYTHONPATH`",
            Self::ForeignLibraries { .. } => "remove these folders from `LD_LIBRARY_PATH`",
            Self::Online => "set `HF_HUB_OFFLINE=1`",
            Self::NoDevice { .. } => "unset `CUDA_VISIBLE_DEVICES`, or name a GPU",
        }
        .to_owned()
    }

    fn evidence(&self) -> Vec<String> {
        match self {
            Self::ForeignLibraries { files } => files.clone(),
            _ => Vec::new(),
        }
    }
}

/// Judges the variables that `get` knows; one that is empty counts as unset.
pub fn check(get: &dyn Fn(&str) -> Option<String>, capability: Capability) -> Vec<Finding> {
    let set = |name: &str| get(name).filter(|value| !value.is_empty());
    let mut problems: Vec<(&str, VariableProblem)> = Vec::new();
    for (name, known, default) in CHOICES {
        if let Some(value) = set(name).filter(|value| !known.contains(&value.as_str())) {
            let known = known.to_vec();
            problems.push((
                name,
                VariableProblem::Ignored {
                    value,
                    known,
                    default,
                },
            ));
        }
    }
    match set("ATTN_BACKEND") {
        None => problems.push(("ATTN_BACKEND", VariableProblem::AttentionUnset)),
        Some(value) if DENSE_ONLY.contains(&value.as_str()) && set("SPARSE_ATTN_BACKEND").is_none() => {
            problems.push(("ATTN_BACKEND", VariableProblem::DenseOnly { value }));
        }
        Some(_) => {}
    }
    if capability > LAST_SERVED {
        if set("XFORMERS_DISABLED").is_none() {
            problems.push((
                "XFORMERS_DISABLED",
                VariableProblem::XformersEnabled { capability },
            ));
        }
        let value = set("SPCONV_ALGO").unwrap_or_else(|| "auto".to_owned());
        if value == "auto" || value == "implicit_gemm" {
            problems.push((
                "SPCONV_ALGO",
                VariableProblem::SpconvCompiles { value, capability },
            ));
        }
    }
    if let Some(folders) = set("PYTHONPATH") {
        problems.push(("PYTHONPATH", VariableProblem::ForeignPackages { folders }));
    }
    let files = foreign_libraries(&set("LD_LIBRARY_PATH").unwrap_or_default());
    if !files.is_empty() {
        problems.push(("LD_LIBRARY_PATH", VariableProblem::ForeignLibraries { files }));
    }
    if set("HF_HUB_OFFLINE").is_none() {
        problems.push(("HF_HUB_OFFLINE", VariableProblem::Online));
    }
    // Here an empty value counts: it hides every GPU.
    if let Some(value) =
        get("CUDA_VISIBLE_DEVICES").filter(|value| value.is_empty() || value.starts_with('-'))
    {
        problems.push(("CUDA_VISIBLE_DEVICES", VariableProblem::NoDevice { value }));
    }
    if problems.is_empty() {
        problems.push(("variables", VariableProblem::Fine));
    }
    let findings = problems
        .iter()
        .map(|(name, problem)| Finding::new(Check::Variables, *name, problem));
    findings.collect()
}

fn foreign_libraries(path: &str) -> Vec<String> {
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    let entries = folders.flat_map(|folder| fs::read_dir(Path::new(folder)).into_iter().flatten().flatten());
    let foreign = |name: &str| name.contains(".so") && FOREIGN.iter().any(|start| name.starts_with(start));
    let mut files: Vec<String> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(foreign))
        .map(|entry| entry.path().display().to_string())
        .collect();
    files.sort();
    files.truncate(10);
    files
}
