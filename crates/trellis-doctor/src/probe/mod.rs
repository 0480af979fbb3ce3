//! Runs small Python programs in the environment, each in a process of its own with a time limit, and maps
//! what goes wrong back to the static checks.
//!
//! `steps.rs` has the programs, `child.rs` runs one, `cause.rs` reads its last words.

mod cause;
mod child;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::finding::{Check, Diagnosis, Finding, Level};

pub use child::Outcome;

/// How to probe.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The interpreter.
    pub python: PathBuf,
    /// A model folder to load; without it that step is left out.
    pub model: Option<PathBuf>,
    /// For each step. Importing torch from a cold disk takes half a minute.
    pub limit: Duration,
    /// For the step that loads the model.
    pub load_limit: Duration,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeProblem {
    /// Well.
    #[error("works")]
    Works {
        /// What it printed.
        lines: Vec<String>,
    },
    /// Left out: the step's own words.
    #[error("was left out: {reason}")]
    LeftOut {
        /// Why.
        reason: String,
    },
    /// A symbol that nothing defines.
    #[error("failed to load: nothing defines `{symbol}`")]
    UndefinedSymbol {
        /// Mangled.
        symbol: String,
    },
    /// A library that is nowhere.
    #[error("failed to load: `{library}` is not found")]
    LibraryMissing {
        /// Its name.
        library: String,
    },
    /// A package that is not installed.
    #[error("failed: the package `{module}` is not installed")]
    ModuleMissing {
        /// Its name.
        module: String,
    },
    /// No code for the GPU.
    #[error("failed on the GPU: no kernel image is available for it")]
    NoKernelImage,
    /// No attention operator for the GPU.
    #[error("failed: xformers has no operator for this input on this GPU")]
    NoOperator,
    /// Memory of the GPU.
    #[error("failed: the GPU's memory does not suffice")]
    OutOfMemory,
    /// It did not end.
    #[error("did not end within {seconds} s")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// A signal ended it.
    #[error("was ended by signal {signal}")]
    Killed {
        /// Its number.
        signal: i32,
    },
    /// Something else.
    #[error("failed: {last}")]
    Failed {
        /// The last line of its error output.
        last: String,
    },
    /// The interpreter cannot be started.
    #[error("cannot start {}: {reason}", python.display())]
    NotStarted {
        /// Which.
        python: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl Diagnosis for ProbeProblem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Works { .. } => "probe_works",
            Self::LeftOut { .. } => "probe_left_out",
            Self::UndefinedSymbol { .. } => "missing_symbols",
            Self::LibraryMissing { .. } => "missing_library",
            Self::ModuleMissing { .. } => "not_installed",
            Self::NoKernelImage => "no_kernel_image",
            Self::NoOperator => "xformers_operator_limit",
            Self::OutOfMemory => "gpu_occupied",
            Self::TimedOut { .. } => "probe_timed_out",
            Self::Killed { .. } => "probe_killed",
            Self::Failed { .. } => "probe_failed",
            Self::NotStarted { .. } => "probe_not_started",
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Works { .. } | Self::LeftOut { .. } => Level::Ok,
            _ => Level::Error,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Works { .. } | Self::LeftOut { .. } => "",
            Self::UndefinedSymbol { .. } => "see the check ABI above: it names the package and what it was built for",
            Self::LibraryMissing { .. } => "see the check ABI above; on NixOS use the flake's environment",
            Self::ModuleMissing { .. } => "install it from the pinned set, or use the flake's environment",
            Self::NoKernelImage => "see the check of machine code above: it lists which library has no code for the GPU",
            Self::NoOperator => "set `XFORMERS_DISABLED=1` for DINOv2, and see the check of machine code above",
            Self::OutOfMemory => "see the check of driver and GPU above for who holds the memory",
            Self::TimedOut { .. } => {
                "run it again: the first run on a GPU without native code compiles for minutes, and is kept in `CUDA_CACHE_PATH`"
            }
            Self::Killed { .. } => "look for the reason in the kernel's log (`dmesg`): a crash in a library, or no memory",
            Self::Failed { .. } => "see the whole output in `--json`",
            Self::NotStarted { .. } => "check that the environment's interpreter runs on this machine",
        }
        .to_owned()
    }

    fn evidence(&self) -> Vec<String> {
        match self {
            Self::Works { lines } => lines.clone(),
            _ => Vec::new(),
        }
    }
}

/// Runs all steps in order. A step whose predecessor could not be started is not tried.
pub fn run(probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    for step in steps::all(probe.model.as_deref()) {
        let limit = if step.loads_model {
            probe.load_limit
        } else {
            probe.limit
        };
        let outcome = child::run(&probe.python, &step.program, step.arguments(probe), limit);
        let finding = finding(step.name, &probe.python, outcome);
        let started = finding.kind != "probe_not_started";
        findings.push(finding);
        if !started {
            break;
        }
    }
    findings
}

fn finding(name: &str, python: &Path, outcome: Result<Outcome, std::io::Error>) -> Finding {
    let (problem, output) = match outcome {
        Ok(outcome) => (cause::of(&outcome), outcome.errors),
        Err(error) => {
            let (python, reason) = (python.to_owned(), error.to_string());
            (ProbeProblem::NotStarted { python, reason }, String::new())
        }
    };
    let mut finding = Finding::new(Check::Probe, name, &problem);
    if finding.level == Level::Error {
        finding.evidence.extend(output.lines().map(str::to_owned));
    }
    finding
}
