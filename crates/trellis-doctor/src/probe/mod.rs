//! Runs small Python programs in the environment, each in a process of its own with a time limit, and maps
//! what goes wrong back to the static checks.
//!
//! `steps.rs` has the programs, `child.rs` runs one, `cause.rs` reads its last words.

mod cause;
mod child;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::steps::{Step, Work};
use crate::finding::{Check, Diagnosis, Finding, Level};

pub use child::Outcome;

/// How to probe.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The interpreter.
    pub python: PathBuf,
    /// A model folder to load; without it that step is left out.
    pub model: Option<PathBuf>,
    /// For each step on the GPU.
    pub limit: Duration,
    /// For steps that import or load the model. The first import of TRELLIS takes minutes where numba's cache is
    /// cold.
    pub long_limit: Duration,
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
    #[error("failed: not enough GPU memory")]
    OutOfMemory,
    /// An extension of NumPy 1 beside NumPy 2.
    #[error("failed: {}", module.as_ref().map_or_else(|| "an extension is compiled for NumPy 1, and NumPy 2 is here".to_owned(), |module| format!("`{module}` is compiled for NumPy 1, and NumPy 2 is here")))]
    OtherNumpy {
        /// The package, where the traceback tells it.
        module: Option<String>,
    },
    /// It did not end.
    #[error("did not finish within {seconds} s{}", during.words())]
    TimedOut {
        /// The limit.
        seconds: u64,
        /// What it was doing.
        during: During,
    },
    /// A signal ended it.
    #[error("was killed by signal {signal}")]
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

/// What a program was doing when its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum During {
    /// numba was compiling, as it does once, at import.
    Numba,
    /// Importing something else.
    Import,
    /// Running on the GPU.
    Gpu,
    /// Loading the model.
    Load,
}

impl During {
    fn words(self) -> &'static str {
        match self {
            Self::Numba => {
                ": numba was compiling, as it does at the first import of TRELLIS (rembg imports pymatting)"
            }
            Self::Import | Self::Gpu | Self::Load => "",
        }
    }
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
            Self::OtherNumpy { .. } => "numpy_abi",
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
            Self::UndefinedSymbol { .. } => "see the ABI check above: it names the package and what it was built for",
            Self::LibraryMissing { .. } => "see the ABI check above; on NixOS use the flake's environment",
            Self::ModuleMissing { .. } => "install it from the pinned set, or use the flake's environment",
            Self::NoKernelImage => "see the check of machine code above: it lists which library has no code for the GPU",
            Self::NoOperator => "set `XFORMERS_DISABLED=1` for DINOv2, and see the check of machine code above",
            Self::OutOfMemory => "see the check of driver and GPU above for what uses the memory",
            Self::OtherNumpy { .. } => "see the ABI check above: it lists the packages that are compiled for NumPy 1",
            Self::TimedOut {
                during: During::Numba, ..
            } => {
                "run it again with a larger `--probe-seconds`: numba keeps what it compiled beside the package or in \
                 `NUMBA_CACHE_DIR`, which must be writable"
            }
            Self::TimedOut {
                during: During::Import, ..
            } => {
                "run it again: reading from a cold disk and numba's first compilation take minutes; the stack in \
                 `--json` shows where it was"
            }
            Self::TimedOut {
                during: During::Load, ..
            } => "run it again with a larger `--probe-seconds`: the weights have several gigabytes",
            Self::TimedOut {
                during: During::Gpu, ..
            } => {
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

/// Asks an interpreter for the environment that it runs; `None` where it does not say.
pub fn environment_of(python: &Path, limit: Duration) -> Option<PathBuf> {
    let program = "import sys; print(sys.prefix)";
    let outcome = child::run(python, program, Vec::new(), limit).ok()?;
    let said = outcome.output.lines().last().filter(|_| outcome.success)?;
    Some(PathBuf::from(said))
}

/// Runs all steps in order. Without an interpreter or without torch nothing else can work: the steps after
/// that failure would repeat it and are not tried.
pub fn run(probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    for step in steps::all(probe.model.as_deref()) {
        let limit = match step.work {
            Work::Gpu => probe.limit,
            Work::Import | Work::Load => probe.long_limit,
        };
        let program = format!("{}{}", steps::stack_before(limit), step.program);
        let outcome = child::run(&probe.python, &program, step.arguments(probe), limit);
        let finding = finding(&step, &probe.python, outcome);
        let failed = finding.level == Level::Error;
        let first = findings.is_empty();
        let not_started = finding.kind == "probe_not_started";
        findings.push(finding);
        if not_started || (first && failed) {
            break;
        }
    }
    findings
}

fn finding(step: &Step, python: &Path, outcome: Result<Outcome, std::io::Error>) -> Finding {
    let (problem, output) = match outcome {
        Ok(outcome) => (cause::of(&outcome, step.work), outcome.errors),
        Err(error) => {
            let (python, reason) = (python.to_owned(), error.to_string());
            (ProbeProblem::NotStarted { python, reason }, String::new())
        }
    };
    let mut finding = Finding::new(Check::Probe, step.name, &problem);
    if finding.level == Level::Error {
        finding.evidence.extend(output.lines().map(str::to_owned));
    }
    finding
}
