//! What the check of driver and GPU finds.

use std::path::PathBuf;

use trellis_core::memory_size;
use trellis_pins::Cuda;

use super::Target;
use super::machine::Place;
use crate::finding::{Diagnosis, Level};
use trellis_core::{Capability, GpuProcess};

/// What a CUDA release needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The release, such as `12.8`.
    pub cuda: String,
    /// The oldest driver, such as `570.26`.
    pub driver: String,
}

impl Needs {
    pub(super) fn of(cuda: &Cuda) -> Self {
        Self {
            cuda: cuda.version.clone(),
            driver: cuda.driver_minimum.clone(),
        }
    }
}

/// State of the driver or of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuProblem {
    /// New enough.
    #[error("is {found}, and CUDA {} needs {}", needs.cuda, needs.driver)]
    Driver {
        /// Running.
        found: String,
        /// The oldest that will do.
        needs: Needs,
    },
    /// No driver.
    #[error(
        "no NVIDIA driver was found{}",
        if *hardware { ", though there is an NVIDIA card" } else { ", and no NVIDIA card" }
    )]
    NoDriver {
        /// The system.
        place: Place,
        /// A card is on the bus.
        hardware: bool,
        /// Whether it must be.
        target: Target,
    },
    /// A driver that does not answer.
    #[error("is installed and does not work: {reason}")]
    DriverBroken {
        /// What it says.
        reason: String,
        /// The system.
        place: Place,
    },
    /// Too old for the pinned CUDA release.
    #[error("is {found}, and CUDA {} needs {} or newer", needs.cuda, needs.driver)]
    DriverTooOld {
        /// Running.
        found: String,
        /// The oldest that will do.
        needs: Needs,
    },
    /// Where libcuda is.
    #[error("is at {}", path.display())]
    Libcuda {
        /// The file.
        path: PathBuf,
    },
    /// A running driver whose library is not found.
    #[error("libcuda.so.1 was not found in any of the searched folders, though the driver runs")]
    NoLibcuda {
        /// The system.
        place: Place,
    },
    /// Device files that may not be opened.
    #[error("this user may not open {}", nodes.iter().map(|node| format!("/dev/{node}")).collect::<Vec<_>>().join(", "))]
    NodesClosed {
        /// Names below `/dev`.
        nodes: Vec<String>,
    },
    /// A driver without a GPU.
    #[error("the driver runs and sees no GPU")]
    NoGpu,
    /// A GPU.
    #[error("capability {capability}, {}{}", memory_size(*total), with_nix(package.as_deref()))]
    Gpu {
        /// The flake's package for it, if there is one.
        package: Option<String>,
        /// What it runs.
        capability: Capability,
        /// All memory in bytes.
        total: u64,
    },
    /// Not the GPU that the libraries were judged for.
    #[error("has capability {capability}, and the libraries were checked for {asked}")]
    OtherCapability {
        /// The GPU's.
        capability: Capability,
        /// Asked.
        asked: Capability,
    },
    /// Even with models taking turns it does not fit.
    #[error("has {}, and TRELLIS needs 8 GiB even in its low-VRAM mode", memory_size(*total))]
    TooSmall {
        /// All memory in bytes.
        total: u64,
    },
    /// It fits with models taking turns.
    #[error("has {}: TRELLIS fits in its low-VRAM mode only", memory_size(*total))]
    LowVram {
        /// All memory in bytes.
        total: u64,
    },
    /// Others hold too much.
    #[error("has {} free, and TRELLIS needs up to 16 GiB", memory_size(*free))]
    Occupied {
        /// Free memory in bytes.
        free: u64,
        /// Who holds the rest.
        processes: Vec<GpuProcess>,
    },
    /// The driver unloads between uses.
    #[error("persistence mode is off: the first start after a pause takes seconds longer")]
    NotPersistent,
}

fn with_nix(package: Option<&str>) -> String {
    package.map_or(String::new(), |package| format!("; with Nix it is `{package}`"))
}

impl Diagnosis for GpuProblem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Driver { .. } => "driver",
            Self::NoDriver { .. } => "driver_missing",
            Self::DriverBroken { .. } => "driver_broken",
            Self::DriverTooOld { .. } => "driver_too_old",
            Self::Libcuda { .. } => "libcuda",
            Self::NoLibcuda { .. } => "libcuda_missing",
            Self::NodesClosed { .. } => "device_files_closed",
            Self::NoGpu => "gpu_missing",
            Self::Gpu { .. } => "gpu",
            Self::OtherCapability { .. } => "other_capability",
            Self::TooSmall { .. } => "gpu_too_small",
            Self::LowVram { .. } => "gpu_low_vram",
            Self::Occupied { .. } => "gpu_occupied",
            Self::NotPersistent => "not_persistent",
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Driver { .. } | Self::Libcuda { .. } | Self::Gpu { .. } | Self::NotPersistent => Level::Ok,
            // Environments are built and checked on machines without a GPU: that is no error of theirs.
            Self::NoDriver {
                hardware: false,
                target: Target::Anywhere,
                ..
            }
            | Self::OtherCapability { .. }
            | Self::LowVram { .. }
            | Self::Occupied { .. } => Level::Warn,
            Self::NoDriver { .. }
            | Self::DriverBroken { .. }
            | Self::DriverTooOld { .. }
            | Self::NoLibcuda { .. }
            | Self::NodesClosed { .. }
            | Self::NoGpu
            | Self::TooSmall { .. } => Level::Error,
        }
    }

    fn advice(&self) -> String {
        let text = match self {
            Self::Driver { .. } | Self::Libcuda { .. } | Self::Gpu { .. } => "",
            Self::NoDriver { hardware: false, .. } => {
                "run on a machine with an NVIDIA GPU of 16 GB, or use `--backend relief`"
            }
            Self::NoDriver { place, .. } | Self::DriverBroken { place, .. } => install(*place),
            Self::DriverTooOld { needs, .. } => {
                return format!("update the NVIDIA driver to {} or newer", needs.driver);
            }
            Self::NoLibcuda { place: Place::NixOs } => {
                "set `hardware.graphics.enable = true`, or start with the flake's wrapper, which adds \
                 `/run/opengl-driver/lib`"
            }
            Self::NoLibcuda { place: Place::Wsl } => "add `/usr/lib/wsl/lib` to `LD_LIBRARY_PATH`",
            Self::NoLibcuda { place: Place::Linux } => {
                "install the driver's CUDA package (`libcuda1` on Debian)"
            }
            Self::NodesClosed { .. } => {
                "add the user to the group that owns them (`video` or `render`), or allow them in the container or unit"
            }
            Self::NoGpu => "check `nvidia-smi` and the container's GPU option",
            Self::OtherCapability { capability, .. } => {
                return format!("run again with `--capability {capability}`");
            }
            Self::TooSmall { .. } => "use a GPU with 16 GB, or `--backend relief`",
            Self::LowVram { .. } => "start with `--low-vram`",
            Self::Occupied { .. } => "stop the programs that use the memory, or start with `--low-vram`",
            Self::NotPersistent => "on a server run `nvidia-smi -pm 1` or `nvidia-persistenced`",
        };
        text.to_owned()
    }

    fn evidence(&self) -> Vec<String> {
        let Self::Occupied { processes, .. } = self else {
            return Vec::new();
        };
        let line = |process: &GpuProcess| {
            let name = process.name.as_deref().unwrap_or("?");
            let used = process
                .memory_bytes
                .map(|bytes| format!("  {}", memory_size(bytes)));
            format!("{} {name}{}", process.pid, used.unwrap_or_default())
        };
        processes.iter().map(line).collect()
    }
}

fn install(place: Place) -> &'static str {
    match place {
        Place::NixOs => {
            "set `hardware.graphics.enable = true`, `services.xserver.videoDrivers = [ \"nvidia\" ]` and, for \
             Blackwell, `hardware.nvidia.open = true`; then rebuild and reboot"
        }
        Place::Wsl => "install the NVIDIA driver in Windows, not in Linux, then run `wsl --shutdown`",
        Place::Linux => {
            "install the distribution's NVIDIA driver, for Blackwell the one with open kernel modules, and reboot"
        }
    }
}
