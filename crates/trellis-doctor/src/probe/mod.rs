//! Runs small Python programs in the environment, each in a process of its own with a time limit, and maps
//! what goes wrong back to the static checks.
//!
//! `steps.rs` and `trellis2.rs` have the programs, `child.rs` runs one, `cause.rs` reads its last words.

mod cause;
mod child;
mod steps;
mod trellis2;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::child::Outcome;
use self::steps::{Step, Work};
use crate::finding::{Check, Finding, Level, diagnoses};
use trellis_core::Model;

/// How to probe.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The interpreter.
    pub python: PathBuf,
    /// The models whose parts are called; none: those of TRELLIS-image-large.
    pub models: Vec<Model>,
    /// A model folder to load; without it that step is left out.
    pub model: Option<PathBuf>,
    /// For each step on the GPU.
    pub limit: Duration,
    /// For steps that import or load the model. The first import of TRELLIS takes minutes where numba's cache is
    /// cold.
    pub long_limit: Duration,
}

diagnoses! {
    /// How a step went.
    #[derive(Clone, PartialEq, Eq)]
    enum ProbeProblem {
        /// `lines` are what it printed.
        #[error("works")]
        Works { lines: Vec<String> } = "probe_works", Level::Ok, "", lines.clone();
        #[error("was left out: {reason}")]
        LeftOut { reason: String } = "probe_left_out", Level::Ok, "";
        #[error("failed to load: nothing defines `{symbol}`")]
        UndefinedSymbol { symbol: String } = "missing_symbols", Level::Error,
            "see the ABI check above: it names the package and what it was built for";
        #[error("failed to load: `{library}` is not found")]
        LibraryMissing { library: String } = "missing_library", Level::Error,
            "see the ABI check above; on NixOS use the flake's environment";
        #[error("failed: the package `{module}` is not installed")]
        ModuleMissing { module: String } = "not_installed", Level::Error,
            "install it from the pinned set, or use the flake's environment";
        #[error("failed on the GPU: no kernel image is available for it")]
        NoKernelImage = "no_kernel_image", Level::Error,
            "see the check of machine code above: it lists which library has no code for the GPU";
        #[error("failed: Triton found no C compiler, with which it builds what starts its kernels")]
        NoCompiler = "no_compiler", Level::Error, "install `gcc`, or set `CC`";
        #[error("failed: xformers has no operator for this input on this GPU")]
        NoOperator = "xformers_operator_limit", Level::Error,
            "set `XFORMERS_DISABLED=1` for DINOv2, and see the check of machine code above";
        #[error("failed: not enough GPU memory")]
        OutOfMemory = "gpu_occupied", Level::Error,
            "see the check of driver and GPU above for what uses the memory";
        /// `module` is the package, where the traceback tells it.
        #[error("failed: {} is compiled for NumPy 1, and NumPy 2 is here",
            module.as_ref().map_or_else(|| "an extension".to_owned(), |module| format!("`{module}`")))]
        OtherNumpy { module: Option<String> } = "numpy_abi", Level::Error,
            "see the ABI check above: it lists the packages that are compiled for NumPy 1";
        #[error("did not finish within {seconds} s{}", during.words())]
        TimedOut { seconds: u64, during: During } = "probe_timed_out", Level::Error, during.advice();
        #[error("was killed by signal {signal}")]
        Killed { signal: i32 } = "probe_killed", Level::Error,
            "look for the reason in the kernel's log (`dmesg`): a crash in a library, or no memory";
        /// `last` is the last line of its error output.
        #[error("failed: {last}")]
        Failed { last: String } = "probe_failed", Level::Error, "see the whole output in `--json`";
        #[error("cannot start {}: {reason}", python.display())]
        NotStarted { python: PathBuf, reason: String } = "probe_not_started", Level::Error,
            "check that the environment's interpreter runs on this machine";
    }
}

/// What a program was doing when its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum During {
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

    fn advice(self) -> &'static str {
        match self {
            Self::Numba => {
                "run it again with a larger `--probe-seconds`: numba keeps what it compiled beside the package or in \
                 `NUMBA_CACHE_DIR`, which must be writable"
            }
            Self::Import => {
                "run it again: reading from a cold disk and numba's first compilation take minutes; the stack in \
                 `--json` shows where it was"
            }
            Self::Load => "run it again with a larger `--probe-seconds`: the weights have several gigabytes",
            Self::Gpu => {
                "run it again: the first run on a GPU without native code compiles for minutes, and is kept in \
                 `CUDA_CACHE_PATH`"
            }
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
    for step in steps::all(probe) {
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
