//! What a check has to say: one finding each, with a stable kind, a sentence and what to do.

use std::fmt;

use serde::Serialize;

/// The checks, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Is there an environment, and does its interpreter start?
    Environment,
    /// Is everything here that TRELLIS imports?
    Imports,
    /// Can the dynamic linker load every compiled extension?
    Abi,
    /// Is there code for the GPU in every library?
    MachineCode,
    /// Do the packages fit the pinned set and each other?
    Versions,
    /// Driver and GPU.
    Gpu,
    /// Environment variables that change behaviour silently.
    Variables,
    /// The model folder.
    Model,
    /// Disk, memory, limits, clock.
    Host,
    /// What a small Python program in the environment did.
    Probe,
}

impl Check {
    /// The heading in the report.
    pub fn title(self) -> &'static str {
        match self {
            Self::Environment => "Environment",
            Self::Imports => "Imports",
            Self::Abi => "ABI",
            Self::MachineCode => "Machine code",
            Self::Versions => "Versions",
            Self::Gpu => "Driver and GPU",
            Self::Variables => "Environment variables",
            Self::Model => "Model folder",
            Self::Host => "Host",
            Self::Probe => "Probe",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be, or only worth knowing.
    Ok,
    /// It will run, but slower or with a limit.
    Warn,
    /// It will not run.
    Error,
}

/// A problem or a good sign of one check. Its `Display` is the one sentence.
pub trait Diagnosis: fmt::Display {
    /// Stable name in JSON, docs and tests.
    fn kind(&self) -> &'static str;
    /// How bad it is.
    fn level(&self) -> Level;
    /// What to do, one sentence; empty where nothing is to be done.
    fn advice(&self) -> String;
    /// Exact names behind the sentence, such as mangled symbols, one a line.
    fn evidence(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check that speaks.
    pub check: Check,
    /// Stable name.
    pub kind: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it is about: a library, a package, a variable.
    pub subject: String,
    /// One sentence.
    pub message: String,
    /// What to do; empty where nothing is to be done.
    pub advice: String,
    /// Exact names behind the sentence.
    pub evidence: Vec<String>,
}

impl Finding {
    /// The line for a diagnosis.
    pub fn new(check: Check, subject: impl Into<String>, diagnosis: &dyn Diagnosis) -> Self {
        Self {
            check,
            kind: diagnosis.kind(),
            level: diagnosis.level(),
            subject: subject.into(),
            message: diagnosis.to_string(),
            advice: diagnosis.advice(),
            evidence: diagnosis.evidence(),
        }
    }
}
