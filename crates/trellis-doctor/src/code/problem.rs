//! What the check of machine code finds.

use super::library::LibraryCode;
use super::verdict::Verdict;
use crate::finding::{Level, diagnoses};
use crate::text::count;
use trellis_core::Capability;

diagnoses! {
    /// What runs on the GPU that was asked for. Libraries stand with their PTX or SASS.
    #[derive(Clone, PartialEq, Eq)]
    pub(crate) enum CodeProblem {
        #[error("{} machine code for capability {capability}", count(*libraries, "library has", "libraries have"))]
        Native { libraries: usize, capability: Capability } = "native", Level::Ok, "";
        #[error(
            "{} no machine code for capability {capability}, but PTX: the driver compiles it at first use, so the \
             first run is slow", count(libraries.len(), "library has", "libraries have")
        )]
        DriverCompiles { libraries: Vec<String>, capability: Capability } = "driver_compiles", Level::Warn,
            "keep the driver's cache: set `CUDA_CACHE_PATH` to a folder that survives restarts, and warm up once",
            libraries.clone();
        #[error(
            "{} no code for capability {capability}: `no kernel image is available for execution on the device` \
             will follow", count(libraries.len(), "library has", "libraries have")
        )]
        NoKernelImage { libraries: Vec<String>, capability: Capability } = "no_kernel_image", Level::Error,
            "install builds whose list of architectures has this GPU, as the pinned set's have", libraries.clone();
        #[error(
            "{} no code for capability {capability}; no compiled extension needs them",
            count(libraries.len(), "library has", "libraries have")
        )]
        UnneededWithout { libraries: Vec<String>, capability: Capability } = "unneeded_without_code", Level::Ok, "",
            libraries.clone();
        /// A fatbin that cannot be read to its end.
        #[error("device code is damaged: {reason}")]
        Damaged { reason: String } = "damaged_device_code", Level::Warn, "install the package again";
        #[error("this NVRTC does not know capability {capability}: kernels compiled at run time will fail")]
        CompilerTooOld { capability: Capability } = "nvrtc_too_old", Level::Warn,
            "set `SPCONV_ALGO=native`, so that nothing is compiled at run time, or install a build with a newer NVRTC";
        /// `highest` is what the fp32 operators take; `half_precision`: one of these takes the asked one.
        #[error(
            "the only attention operators for fp32 stop at capability {highest}; in fp16 and bf16 {} there",
            if *half_precision { "others are" } else { "none is" }
        )]
        OperatorLimit { highest: Capability, half_precision: bool } = "xformers_operator_limit", Level::Warn,
            "set `XFORMERS_DISABLED=1`, so that DINOv2, which runs in fp32, uses torch's own attention";
    }
}

/// Gathers the verdicts of all libraries to a few sentences.
pub(super) struct Summary {
    capability: Capability,
    native: usize,
    compiled: Vec<String>,
    none: Vec<String>,
    unneeded: Vec<String>,
}

impl Summary {
    pub(super) fn new(capability: Capability) -> Self {
        Self {
            capability,
            native: 0,
            compiled: Vec::new(),
            none: Vec::new(),
            unneeded: Vec::new(),
        }
    }

    /// Adds a library, and whether a compiled extension needs it.
    pub(super) fn add(&mut self, line: &LibraryCode, needed: bool) {
        let without = format!("{}: {}", line.library, line.sass().join(", "));
        match &line.verdict {
            Verdict::Native => self.native += 1,
            Verdict::DriverCompiles { from } if needed => {
                self.compiled
                    .push(format!("{}: {}", line.library, from.join(", ")));
            }
            Verdict::None if needed => self.none.push(without),
            Verdict::None => self.unneeded.push(without),
            Verdict::DriverCompiles { .. } => {}
        }
    }

    pub(super) fn problems(self) -> Vec<CodeProblem> {
        let capability = self.capability;
        let mut problems = Vec::new();
        if self.native > 0 {
            problems.push(CodeProblem::Native {
                libraries: self.native,
                capability,
            });
        }
        if !self.none.is_empty() {
            problems.push(CodeProblem::NoKernelImage {
                libraries: self.none,
                capability,
            });
        }
        if !self.compiled.is_empty() {
            problems.push(CodeProblem::DriverCompiles {
                libraries: self.compiled,
                capability,
            });
        }
        if !self.unneeded.is_empty() {
            problems.push(CodeProblem::UnneededWithout {
                libraries: self.unneeded,
                capability,
            });
        }
        problems
    }
}
