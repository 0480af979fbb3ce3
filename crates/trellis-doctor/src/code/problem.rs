//! What the check of machine code finds.

use super::library::LibraryCode;
use super::verdict::Verdict;
use crate::finding::{Diagnosis, Level};
use trellis_core::Capability;

/// A limit of the machine code that is here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeProblem {
    /// Runs as it is.
    #[error("{} machine code for capability {capability}", count(*libraries, "library has", "libraries have"))]
    Native {
        /// How many.
        libraries: usize,
        /// Asked.
        capability: Capability,
    },
    /// The driver compiles PTX at first use.
    #[error(
        "{} no machine code for capability {capability}, but PTX: the driver compiles it at first use, so the \
         first run is slow", count(libraries.len(), "library has", "libraries have")
    )]
    DriverCompiles {
        /// Which, with their PTX.
        libraries: Vec<String>,
        /// Asked.
        capability: Capability,
    },
    /// Nothing runs.
    #[error(
        "{} no code for capability {capability}: `no kernel image is available for execution on the device` \
         will follow", count(libraries.len(), "library has", "libraries have")
    )]
    NoKernelImage {
        /// Which, with their SASS.
        libraries: Vec<String>,
        /// Asked.
        capability: Capability,
    },
    /// The same, where no extension needs the library.
    #[error(
        "{} no code for capability {capability}; no compiled extension needs them",
        count(libraries.len(), "library has", "libraries have")
    )]
    UnneededWithout {
        /// Which, with their SASS.
        libraries: Vec<String>,
        /// Asked.
        capability: Capability,
    },
    /// A fatbin that cannot be read to its end.
    #[error("device code is damaged: {reason}")]
    Damaged {
        /// Where and how.
        reason: String,
    },
    /// A run-time compiler that is older than the GPU.
    #[error("this NVRTC does not know capability {capability}: kernels compiled at run time will fail")]
    CompilerTooOld {
        /// Asked.
        capability: Capability,
    },
    /// Operators of xformers that refuse the GPU.
    #[error(
        "the only attention operators for fp32 stop at capability {highest}; in fp16 and bf16 {} there",
        if *half_precision { "others are" } else { "none is" }
    )]
    OperatorLimit {
        /// The highest capability that the fp32 operators take.
        highest: Capability,
        /// Whether an operator for half precision takes the asked one.
        half_precision: bool,
    },
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

impl Diagnosis for CodeProblem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Native { .. } => "native",
            Self::DriverCompiles { .. } => "driver_compiles",
            Self::NoKernelImage { .. } => "no_kernel_image",
            Self::UnneededWithout { .. } => "unneeded_without_code",
            Self::Damaged { .. } => "damaged_device_code",
            Self::CompilerTooOld { .. } => "nvrtc_too_old",
            Self::OperatorLimit { .. } => "xformers_operator_limit",
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Native { .. } | Self::UnneededWithout { .. } => Level::Ok,
            Self::DriverCompiles { .. }
            | Self::Damaged { .. }
            | Self::CompilerTooOld { .. }
            | Self::OperatorLimit { .. } => Level::Warn,
            Self::NoKernelImage { .. } => Level::Error,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Native { .. } | Self::UnneededWithout { .. } => "",
            Self::DriverCompiles { .. } => {
                "keep the driver's cache: set `CUDA_CACHE_PATH` to a folder that survives restarts, and warm up once"
            }
            Self::NoKernelImage { .. } => {
                "install builds whose list of architectures has this GPU, as the pinned set's have"
            }
            Self::Damaged { .. } => "install the package again",
            Self::CompilerTooOld { .. } => {
                "set `SPCONV_ALGO=native`, so that nothing is compiled at run time, or install a build with a newer NVRTC"
            }
            Self::OperatorLimit { .. } => {
                "set `XFORMERS_DISABLED=1`, so that DINOv2, which runs in fp32, uses torch's own attention"
            }
        }
        .to_owned()
    }

    fn evidence(&self) -> Vec<String> {
        match self {
            Self::DriverCompiles { libraries, .. }
            | Self::NoKernelImage { libraries, .. }
            | Self::UnneededWithout { libraries, .. } => libraries.clone(),
            _ => Vec::new(),
        }
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
