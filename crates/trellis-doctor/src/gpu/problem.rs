//! What the check of driver and GPU finds.

use std::path::PathBuf;

use trellis_core::{GpuNeed, memory_size};
use trellis_pins::Cuda;

use super::Target;
use super::machine::Place;
use crate::finding::{Level, diagnoses};
use trellis_core::{Capability, GpuProcess};

/// What a CUDA release needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The release, such as `12.8`.
    pub(super) cuda: String,
    /// The oldest driver, such as `570.26`.
    pub(super) driver: String,
}

impl Needs {
    pub(super) fn of(cuda: &Cuda) -> Self {
        Self {
            cuda: cuda.version.clone(),
            driver: cuda.driver_minimum.clone(),
        }
    }
}

diagnoses! {
    /// State of the driver or of a GPU.
    #[derive(Clone, PartialEq, Eq)]
    pub(crate) enum GpuProblem {
        #[error("is {found}, and CUDA {} needs {}", needs.cuda, needs.driver)]
        Driver { found: String, needs: Needs } = "driver", Level::Ok, "";
        #[error(
            "no NVIDIA driver was found{}",
            if *hardware { ", though there is an NVIDIA card" } else { ", and no NVIDIA card" }
        )]
        NoDriver { place: Place, hardware: bool, target: Target } = "driver_missing", match (hardware, target) {
            // Environments are built and checked on machines without a GPU: that is no error of theirs.
            (false, Target::Anywhere) => Level::Warn,
            _ => Level::Error,
        }, if *hardware {
            install(*place)
        } else {
            "run on a machine with an NVIDIA GPU of 16 GB, or use `--backend relief`"
        };
        #[error("is installed and does not work: {reason}")]
        DriverBroken { reason: String, place: Place } = "driver_broken", Level::Error, install(*place);
        #[error("is {found}, and CUDA {} needs {} or newer", needs.cuda, needs.driver)]
        DriverTooOld { found: String, needs: Needs } = "driver_too_old", Level::Error,
            format!("update the NVIDIA driver to {} or newer", needs.driver);
        #[error("is at {}", path.display())]
        Libcuda { path: PathBuf } = "libcuda", Level::Ok, "";
        #[error("libcuda.so.1 was not found in any of the searched folders, though the driver runs")]
        NoLibcuda { place: Place } = "libcuda_missing", Level::Error, match place {
            Place::NixOs => {
                "set `hardware.graphics.enable = true`, or start with the flake's wrapper, which adds \
                 `/run/opengl-driver/lib`"
            }
            Place::Wsl => "add `/usr/lib/wsl/lib` to `LD_LIBRARY_PATH`",
            Place::Linux => "install the driver's CUDA package (`libcuda1` on Debian)",
        };
        /// Names below `/dev`.
        #[error("this user may not open {}", nodes.iter().map(|node| format!("/dev/{node}")).collect::<Vec<_>>().join(", "))]
        NodesClosed { nodes: Vec<String> } = "device_files_closed", Level::Error,
            "add the user to the group that owns them (`video` or `render`), or allow them in the container or unit";
        #[error("the driver runs and sees no GPU")]
        NoGpu = "gpu_missing", Level::Error, "check `nvidia-smi` and the container's GPU option";
        /// `package` is the flake's for it, if there is one.
        #[error("capability {capability}, {}{}", memory_size(*total), with_nix(package.as_deref()))]
        Gpu { package: Option<String>, capability: Capability, total: u64 } = "gpu", Level::Ok, "";
        /// Not the GPU that the libraries were judged for.
        #[error("has capability {capability}, and the libraries were checked for {asked}")]
        OtherCapability { capability: Capability, asked: Capability } = "other_capability", Level::Warn,
            format!("run again with `--capability {capability}`");
        #[error("has {}, and TRELLIS needs 6 GiB even in its low-VRAM mode", memory_size(*total))]
        TooSmall { total: u64 } = "gpu_too_small", Level::Error, "use a GPU with 16 GB, or `--backend relief`";
        #[error("has {}: TRELLIS fits in its low-VRAM mode only", memory_size(*total))]
        LowVram { total: u64 } = "gpu_low_vram", Level::Warn, "start with `--low-vram`";
        #[error("has {}, and TRELLIS.2 needs {} even in its low-VRAM mode", memory_size(*total), least_of_trellis2())]
        TooSmallForTrellis2 { total: u64 } = "gpu_too_small", Level::Error,
            "use a GPU with 12 GB or more, or the model `trellis-image-large`";
        #[error("has {} free, and TRELLIS.2 needs {} even in its low-VRAM mode", memory_size(*free), least_of_trellis2())]
        OccupiedForTrellis2 { free: u64, processes: Vec<GpuProcess> } = "gpu_occupied", Level::Warn,
            "stop the programs that use the memory",
            processes.iter().map(process).collect();
        /// With all models on the GPU, and with each there for its stage.
        #[error("has {}: TRELLIS.2 runs {}", memory_size(*total), at_resolutions(whole, low))]
        Resolutions { total: u64, whole: Vec<u32>, low: Vec<u32> } = "gpu_for_trellis2", Level::Ok, "";
        #[error("has {} free, and TRELLIS needs up to 12 GiB", memory_size(*free))]
        Occupied { free: u64, processes: Vec<GpuProcess> } = "gpu_occupied", Level::Warn,
            "stop the programs that use the memory, or start with `--low-vram`",
            processes.iter().map(process).collect();
        /// In Windows, the driver does so unless it is told not to.
        #[error("when the GPU's memory is full, Windows moves GPU memory to main memory: jobs crawl instead of failing or being tried again in low-VRAM mode")]
        Spills = "system_memory_fallback", Level::Ok,
            "set `CUDA - Sysmem Fallback Policy` to `Prefer No Sysmem Fallback` in NVIDIA's control panel";
        #[error("persistence mode is off: the first start after a pause takes seconds longer")]
        NotPersistent = "not_persistent", Level::Ok,
            "on a server run `nvidia-smi -pm 1` or `nvidia-persistenced`";
    }
}

fn least_of_trellis2() -> String {
    memory_size(GpuNeed::of_trellis2(512).low_bytes)
}

fn at_resolutions(whole: &[u32], low: &[u32]) -> String {
    let listed = |all: &[u32]| {
        let all: Vec<String> = all.iter().map(u32::to_string).collect();
        match all.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            _ => all.concat(),
        }
    };
    let parts = [
        (whole, "with all models on it at"),
        (low, "in low-VRAM mode, which it takes by itself, at"),
    ];
    let said = parts.iter().filter(|(all, _)| !all.is_empty());
    let said: Vec<String> = said.map(|(all, how)| format!("{how} {}", listed(all))).collect();
    said.join(", ")
}

fn with_nix(package: Option<&str>) -> String {
    package.map_or(String::new(), |package| format!("; with Nix it is `{package}`"))
}

fn process(process: &GpuProcess) -> String {
    let name = process.name.as_deref().unwrap_or("?");
    let used = process
        .memory_bytes
        .map(|bytes| format!("  {}", memory_size(bytes)));
    format!("{} {name}{}", process.pid, used.unwrap_or_default())
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
