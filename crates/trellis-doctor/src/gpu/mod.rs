//! Is there a driver that is new enough, and a GPU that TRELLIS fits on?
//!
//! `machine.rs` looks, this file judges what it saw, and `problem.rs` has the words. So every case is
//! tested without the hardware.

mod machine;
mod problem;

use std::str::FromStr as _;

use pep440_rs::Version;
use trellis_pins::Cuda;

use self::problem::{GpuProblem, Needs};
use crate::finding::{Check, Finding, Findings};
use trellis_core::{Capability, GpuNeed, Model};

pub use machine::{Driver, Machine, Place};
pub use trellis_core::{Gpu, GpuProcess};

/// What it needs with everything resident: a worker asks for 9.0 GiB, and for 12.8 in the quality `exact`.
const FULL_BYTES: u64 = 12 << 30;
/// What it needs with `--low-vram`, where models take turns: a worker asks for 5.0 GiB.
const LOW_BYTES: u64 = 6 << 30;
/// A GPU's memory is told a little below its name: a "12 GB" card has 11.99.
const TOLERANCE_BYTES: u64 = 1 << 30;

/// Those that TRELLIS.2 works at.
const RESOLUTIONS: [u32; 3] = [512, 1024, 1536];

/// Where the GPU is that TRELLIS is to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// In this machine.
    Here,
    /// It may be elsewhere: an environment is built, or checked for another machine.
    Anywhere,
}

/// What is to run on a machine.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The capability that the libraries were judged for.
    pub capability: Capability,
    /// The pinned release, with the oldest driver that will do.
    pub cuda: &'a Cuda,
    /// The models that are to run; none: TRELLIS-image-large.
    pub models: &'a [Model],
}

/// Judges a machine.
pub fn check(machine: &Machine, wanted: &Wanted<'_>, target: Target) -> Vec<Finding> {
    let cuda = wanted.cuda;
    let mut findings = Findings::of(Check::Gpu);
    if !machine.closed_nodes.is_empty() {
        let nodes = machine.closed_nodes.clone();
        findings.say("device files", &GpuProblem::NodesClosed { nodes });
    }
    let (version, gpus) = match &machine.driver {
        Driver::Missing => {
            let place = machine.place;
            let hardware = machine.hardware;
            let problem = GpuProblem::NoDriver {
                place,
                hardware,
                target,
            };
            findings.say("driver", &problem);
            return findings.into_vec();
        }
        Driver::Broken { reason } => {
            let (reason, place) = (reason.clone(), machine.place);
            findings.say("driver", &GpuProblem::DriverBroken { reason, place });
            return findings.into_vec();
        }
        Driver::Running { version, gpus } => (version, gpus),
    };
    let known = Version::from_str(version)
        .ok()
        .zip(Version::from_str(&cuda.driver_minimum).ok());
    let (found, needs) = (version.clone(), Needs::of(cuda));
    if known.is_some_and(|(here, minimum)| here < minimum) {
        findings.say("driver", &GpuProblem::DriverTooOld { found, needs });
    } else {
        findings.say("driver", &GpuProblem::Driver { found, needs });
    }
    match &machine.libcuda {
        Some(path) => findings.say("libcuda", &GpuProblem::Libcuda { path: path.clone() }),
        None => findings.say("libcuda", &GpuProblem::NoLibcuda { place: machine.place }),
    }
    if gpus.is_empty() {
        findings.say("GPU", &GpuProblem::NoGpu);
    } else if machine.in_windows {
        findings.say("driver", &GpuProblem::Spills);
    }
    for gpu in gpus {
        findings.say_all(&gpu.name, of_gpu(gpu, wanted));
    }
    findings.into_vec()
}

fn of_gpu(gpu: &Gpu, wanted: &Wanted<'_>) -> Vec<GpuProblem> {
    let asked = wanted.capability;
    let mut problems = vec![GpuProblem::Gpu {
        package: wanted
            .cuda
            .package_for(&gpu.capability.to_string())
            .map(str::to_owned),
        capability: gpu.capability,
        total: gpu.memory_bytes,
    }];
    if gpu.capability != asked {
        problems.push(GpuProblem::OtherCapability {
            capability: gpu.capability,
            asked,
        });
    }
    if wanted.models.contains(&Model::Trellis2) {
        problems.push(for_trellis2(gpu));
    }
    if wanted.models != [Model::Trellis2] {
        problems.extend(for_trellis(gpu));
    }
    if gpu.persistent == Some(false) {
        problems.push(GpuProblem::NotPersistent);
    }
    problems
}

/// What is wrong with a GPU's memory for TRELLIS.
fn for_trellis(gpu: &Gpu) -> Option<GpuProblem> {
    let (free, total) = (gpu.free_bytes, gpu.memory_bytes);
    if total + TOLERANCE_BYTES < LOW_BYTES {
        Some(GpuProblem::TooSmall { total })
    } else if total + TOLERANCE_BYTES < FULL_BYTES {
        Some(GpuProblem::LowVram { total })
    } else if free + TOLERANCE_BYTES < FULL_BYTES {
        let processes = gpu.processes.clone();
        Some(GpuProblem::Occupied { free, processes })
    } else {
        None
    }
}

/// How TRELLIS.2 runs at each resolution on a GPU.
fn for_trellis2(gpu: &Gpu) -> GpuProblem {
    let (free, total) = (gpu.free_bytes, gpu.memory_bytes);
    let fits = |bytes| total + TOLERANCE_BYTES >= bytes;
    let of_all = RESOLUTIONS.map(|resolution| (resolution, GpuNeed::of_trellis2(resolution)));
    let at = |is_so: &dyn Fn(&GpuNeed) -> bool| -> Vec<u32> {
        let chosen = of_all.iter().filter(|(_, need)| is_so(need));
        chosen.map(|(resolution, _)| *resolution).collect()
    };
    let whole = at(&|need| fits(need.resident_bytes));
    let low = at(&|need| fits(need.low_bytes) && !fits(need.resident_bytes));
    if whole.is_empty() && low.is_empty() {
        GpuProblem::TooSmallForTrellis2 { total }
    } else if free + TOLERANCE_BYTES < of_all[0].1.low_bytes {
        let processes = gpu.processes.clone();
        GpuProblem::OccupiedForTrellis2 { free, processes }
    } else {
        GpuProblem::Resolutions { total, whole, low }
    }
}
