//! Environment variables that change TRELLIS or its libraries without a word.

use std::fs;
use std::path::Path;

use crate::finding::{Check, Finding, Findings, Level, diagnoses};
use trellis_core::{Capability, Model};

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

/// Those of TRELLIS.2, which knows one library more.
const CHOICES2: [(&str, &[&str], &str); 2] = [
    (
        "ATTN_BACKEND",
        &["flash_attn", "flash_attn_3", "xformers", "sdpa", "naive"],
        "flash_attn",
    ),
    (
        "SPARSE_ATTN_BACKEND",
        &["xformers", "flash_attn", "flash_attn_3"],
        "flash_attn",
    ),
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

diagnoses! {
    /// A variable that changes something. `value` is as it is set.
    #[derive(Clone, PartialEq, Eq)]
    enum VariableProblem {
        #[error("nothing that changes TRELLIS unexpectedly")]
        Fine = "variables_fine", Level::Ok, "";
        #[error("`{value}` is not one of {}: TRELLIS ignores it and uses {default}", known.join(", "))]
        Ignored { value: String, known: &'static [&'static str], default: &'static str } = "value_ignored", Level::Warn, if known.contains(&"xformers") {
                "set it to `xformers`"
            } else if known.contains(&"native") {
                "set it to `native`"
            } else {
                "unset it"
            };
        /// A name that only the dense half of TRELLIS knows.
        #[error("is `{value}`, which TRELLIS's sparse attention does not know: it uses flash_attn there")]
        DenseOnly { value: String } = "value_ignored", Level::Warn,
            "set it to `xformers`, or `SPARSE_ATTN_BACKEND=xformers` beside it";
        #[error("is not set: TRELLIS uses flash_attn, which the pinned set does not have")]
        AttentionUnset = "attention_unset", Level::Warn, "set `ATTN_BACKEND=xformers`";
        #[error(
            "is not set: on capability {capability} DINOv2 would ask xformers for an fp32 operator that it lacks"
        )]
        XformersEnabled { capability: Capability } = "xformers_enabled", Level::Warn, "set `XFORMERS_DISABLED=1`";
        #[error(
            "is `{value}`: on capability {capability} spconv may compile kernels at run time with a compiler that does not know it"
        )]
        SpconvCompiles { value: String, capability: Capability } = "spconv_compiles", Level::Warn,
            "set `SPCONV_ALGO=native`";
        #[error("is `{value}`: TRELLIS.2's checkpoints have FlexGEMM's layout, and its own loader leaves other convolutions random")]
        OtherConvolutions { value: String } = "other_convolutions", Level::Warn,
            "unset `SPARSE_CONV_BACKEND`: the server's workers take `flex_gemm` whatever it says";
        #[error("puts {folders} before the environment's own packages")]
        ForeignPackages { folders: String } = "foreign_packages", Level::Warn, "unset `PYTHONPATH`";
        #[error("has libraries that may be loaded instead of the environment's")]
        ForeignLibraries { files: Vec<String> } = "foreign_libraries", Level::Warn,
            "remove these folders from `LD_LIBRARY_PATH`", files.clone();
        #[error("is not set: a missing model file would be downloaded at the first job")]
        Online = "online", Level::Warn, "set `HF_HUB_OFFLINE=1`";
        #[error("is `{value}`: no GPU is visible to CUDA")]
        NoDevice { value: String } = "no_device", Level::Warn, "unset `CUDA_VISIBLE_DEVICES`, or name a GPU";
    }
}

/// Judges the variables that `get` knows for the models that an environment is for; one that is empty counts as
/// unset.
pub fn check(get: &dyn Fn(&str) -> Option<String>, capability: Capability, models: &[Model]) -> Vec<Finding> {
    let set = |name: &str| get(name).filter(|value| !value.is_empty());
    let mut findings = Findings::of(Check::Variables);
    let choices: &[_] = if models == [Model::Trellis2] {
        &CHOICES2
    } else {
        &CHOICES
    };
    for &(name, known, default) in choices {
        if let Some(value) = set(name).filter(|value| !known.contains(&value.as_str())) {
            findings.say(
                name,
                &VariableProblem::Ignored {
                    value,
                    known,
                    default,
                },
            );
        }
    }
    match set("ATTN_BACKEND") {
        None => findings.say("ATTN_BACKEND", &VariableProblem::AttentionUnset),
        Some(value) if DENSE_ONLY.contains(&value.as_str()) && set("SPARSE_ATTN_BACKEND").is_none() => {
            findings.say("ATTN_BACKEND", &VariableProblem::DenseOnly { value });
        }
        Some(_) => {}
    }
    if models.contains(&Model::Trellis2)
        && let Some(value) = set("SPARSE_CONV_BACKEND").filter(|value| value != "flex_gemm")
    {
        findings.say(
            "SPARSE_CONV_BACKEND",
            &VariableProblem::OtherConvolutions { value },
        );
    }
    if capability > LAST_SERVED && models.contains(&Model::TrellisImageLarge) {
        if set("XFORMERS_DISABLED").is_none() {
            findings.say(
                "XFORMERS_DISABLED",
                &VariableProblem::XformersEnabled { capability },
            );
        }
        let value = set("SPCONV_ALGO").unwrap_or_else(|| "auto".to_owned());
        if value == "auto" || value == "implicit_gemm" {
            findings.say(
                "SPCONV_ALGO",
                &VariableProblem::SpconvCompiles { value, capability },
            );
        }
    }
    if let Some(folders) = set("PYTHONPATH") {
        findings.say("PYTHONPATH", &VariableProblem::ForeignPackages { folders });
    }
    let files = foreign_libraries(&set("LD_LIBRARY_PATH").unwrap_or_default());
    if !files.is_empty() {
        findings.say("LD_LIBRARY_PATH", &VariableProblem::ForeignLibraries { files });
    }
    if set("HF_HUB_OFFLINE").is_none() {
        findings.say("HF_HUB_OFFLINE", &VariableProblem::Online);
    }
    // Here an empty value counts: it hides every GPU.
    if let Some(value) =
        get("CUDA_VISIBLE_DEVICES").filter(|value| value.is_empty() || value.starts_with('-'))
    {
        findings.say("CUDA_VISIBLE_DEVICES", &VariableProblem::NoDevice { value });
    }
    if findings.said().is_empty() {
        findings.say("variables", &VariableProblem::Fine);
    }
    findings.into_vec()
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
