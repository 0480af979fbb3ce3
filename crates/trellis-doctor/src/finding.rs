//! What a check has to say: one finding each, with a stable kind, a sentence and what to do.

use serde::Serialize;
use trellis_core::Explain;

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
pub trait Diagnosis: Explain {
    /// How bad it is.
    fn level(&self) -> Level;
    /// Exact names behind the sentence, such as mangled symbols, one a line.
    fn evidence(&self) -> Vec<String>;
}

/// `trellis_core::explained!` for what a check finds: kind, level, advice and, where there is any, evidence stand
/// beside each variant.
macro_rules! diagnoses {
    ($(#[$meta:meta])* $vis:vis enum $Enum:ident {
        $($(#[$of_variant:meta])* $Variant:ident
            $({ $($(#[$of_field:meta])* $field:ident: $Type:ty),+ $(,)? })?
            = $kind:expr, $level:expr, $advice:expr $(, $evidence:expr)?;)+
    }) => {
        trellis_core::explained! {
            $(#[$meta])*
            #[derive(Debug, thiserror::Error)]
            $vis enum $Enum {
                $($(#[$of_variant])* $Variant $({ $($(#[$of_field])* $field: $Type),+ })? = $kind, $advice;)+
            }
        }

        #[allow(unused_variables, clippy::match_same_arms, reason = "each variant has a line of its own")]
        impl $crate::finding::Diagnosis for $Enum {
            fn level(&self) -> $crate::finding::Level {
                match self { $(Self::$Variant $({ $($field),+ })? => $level,)+ }
            }

            fn evidence(&self) -> Vec<String> {
                let lines = Vec::new();
                match self {
                    $(Self::$Variant $({ $($field),+ })? => { $(let lines = $evidence;)? lines })+
                }
            }
        }
    };
}
pub(crate) use diagnoses;

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
            advice: diagnosis.advice().into_owned(),
            evidence: diagnosis.evidence(),
        }
    }
}

/// What one check has to say, as it goes.
pub(crate) struct Findings {
    check: Check,
    said: Vec<Finding>,
}

impl Findings {
    pub(crate) fn of(check: Check) -> Self {
        let said = Vec::new();
        Self { check, said }
    }

    pub(crate) fn say(&mut self, subject: &str, diagnosis: &dyn Diagnosis) {
        self.said.push(Finding::new(self.check, subject, diagnosis));
    }

    /// Each of them of one subject.
    pub(crate) fn say_all(&mut self, subject: &str, diagnoses: impl IntoIterator<Item = impl Diagnosis>) {
        for diagnosis in diagnoses {
            self.say(subject, &diagnosis);
        }
    }

    /// Each of its own subject.
    pub(crate) fn say_each(&mut self, found: impl IntoIterator<Item = (String, impl Diagnosis)>) {
        for (subject, diagnosis) in found {
            self.say(&subject, &diagnosis);
        }
    }

    /// What was said so far.
    pub(crate) fn said(&mut self) -> &mut Vec<Finding> {
        &mut self.said
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.said
    }
}
