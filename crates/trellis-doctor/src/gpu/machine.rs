//! Looks at the machine: NVML, loaded at run time, device files, where `libcuda` is, what system it is.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use crate::code::arch::Capability;

/// NVIDIA's vendor number on the PCI bus.
const VENDOR: &str = "0x10de";
/// Where NixOS puts the driver's libraries.
const NIXOS_DRIVER: &str = "/run/opengl-driver/lib";
/// Where WSL puts them.
const WSL_DRIVER: &str = "/usr/lib/wsl/lib";
const NVML: &str = "libnvidia-ml.so.1";
const LIBCUDA: &str = "libcuda.so.1";

/// The kinds of system whose driver is installed differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// NixOS.
    NixOs,
    /// Linux inside Windows.
    Wsl,
    /// Any other Linux.
    Linux,
}

/// A process on the GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its command, if it may be read.
    pub name: Option<String>,
    /// What it holds, if the driver tells.
    pub used_bytes: Option<u64>,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub capability: Capability,
    /// All memory.
    pub total_bytes: u64,
    /// Memory that nobody holds.
    pub free_bytes: u64,
    /// Who holds some.
    pub processes: Vec<Process>,
    /// Whether the driver stays loaded when nobody uses the GPU; `None` where that cannot be told.
    pub persistent: Option<bool>,
}

/// The driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driver {
    /// Its library is nowhere.
    Missing,
    /// The library is there and does not work.
    Broken {
        /// What it says.
        reason: String,
    },
    /// It works.
    Running {
        /// Such as `570.86.16`.
        version: String,
        /// All GPUs.
        gpus: Vec<Gpu>,
    },
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The system.
    pub place: Place,
    /// An NVIDIA card is on the bus.
    pub hardware: bool,
    /// The driver.
    pub driver: Driver,
    /// Where the driver's CUDA library is.
    pub libcuda: Option<PathBuf>,
    /// Device files that this user may not open.
    pub closed_nodes: Vec<String>,
}

impl Machine {
    /// Looks at this machine. `library_path` is the value of `LD_LIBRARY_PATH`.
    pub fn look(library_path: Option<&str>, outside: &[PathBuf]) -> Self {
        let place = place();
        let mut folders: Vec<PathBuf> = library_path
            .unwrap_or_default()
            .split(':')
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .collect();
        folders.extend([NIXOS_DRIVER, WSL_DRIVER].map(PathBuf::from));
        folders.extend_from_slice(outside);
        let find = |name: &str| {
            folders
                .iter()
                .map(|folder| folder.join(name))
                .find(|path| path.exists())
        };
        Self {
            place,
            hardware: hardware(),
            driver: driver(find(NVML)),
            libcuda: find(LIBCUDA),
            closed_nodes: closed_nodes(Path::new("/dev")),
        }
    }

    /// The capability of the first GPU, if there is one.
    pub fn capability(&self) -> Option<Capability> {
        match &self.driver {
            Driver::Running { gpus, .. } => gpus.first().map(|gpu| gpu.capability),
            Driver::Missing | Driver::Broken { .. } => None,
        }
    }
}

fn place() -> Place {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if Path::new("/etc/NIXOS").exists() {
        Place::NixOs
    } else if kernel.to_ascii_lowercase().contains("microsoft") {
        Place::Wsl
    } else {
        Place::Linux
    }
}

fn hardware() -> bool {
    let devices = fs::read_dir("/sys/bus/pci/devices")
        .into_iter()
        .flatten()
        .flatten();
    let is = |path: &Path, name: &str, start: &str| {
        fs::read_to_string(path.join(name)).is_ok_and(|text| text.starts_with(start))
    };
    // Class 03 is display controllers: a card's sound device does not count.
    devices
        .map(|entry| entry.path())
        .any(|path| is(&path, "vendor", VENDOR) && is(&path, "class", "0x03"))
}

/// `found` is where a folder has the library; without it the linker's own search decides.
fn driver(found: Option<PathBuf>) -> Driver {
    let path = found.unwrap_or_else(|| PathBuf::from(NVML));
    let running = Nvml::builder()
        .lib_path(path.as_os_str())
        .init()
        .and_then(|nvml| {
            let gpus = (0..nvml.device_count()?).map(|index| gpu(&nvml.device_by_index(index)?));
            Ok(Driver::Running {
                version: nvml.sys_driver_version()?,
                gpus: gpus.collect::<Result<_, NvmlError>>()?,
            })
        });
    match running {
        Ok(driver) => driver,
        Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound) => Driver::Missing,
        Err(error) => Driver::Broken {
            reason: error.to_string(),
        },
    }
}

fn gpu(device: &Device<'_>) -> Result<Gpu, NvmlError> {
    let capability = device.cuda_compute_capability()?;
    let memory = device.memory_info()?;
    Ok(Gpu {
        name: device.name()?,
        capability: Capability {
            major: u32::try_from(capability.major).unwrap_or_default(),
            minor: u32::try_from(capability.minor).unwrap_or_default(),
        },
        total_bytes: memory.total,
        free_bytes: memory.free,
        processes: processes(device),
        persistent: device.is_in_persistent_mode().ok(),
    })
}

fn processes(device: &Device<'_>) -> Vec<Process> {
    let lists = [
        device.running_compute_processes(),
        device.running_graphics_processes(),
    ];
    let mut processes: Vec<Process> = lists
        .into_iter()
        .flat_map(Result::unwrap_or_default)
        .filter(|process| process.pid != std::process::id())
        .map(|process| Process {
            pid: process.pid,
            name: fs::read_to_string(format!("/proc/{}/comm", process.pid))
                .ok()
                .map(|name| name.trim().to_owned()),
            used_bytes: match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            },
        })
        .collect();
    processes.sort_by_key(|process| (process.pid, process.used_bytes));
    processes.dedup_by_key(|process| process.pid);
    processes
}

/// `nvidia0`, `nvidiactl`, `nvidia-uvm` that exist and may not be opened.
fn closed_nodes(dev: &Path) -> Vec<String> {
    let entries = fs::read_dir(dev).into_iter().flatten().flatten();
    let nodes = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let number = name.strip_prefix("nvidia").unwrap_or_default();
            matches!(name.as_str(), "nvidiactl" | "nvidia-uvm")
                || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        });
    let mut closed: Vec<String> = nodes
        .filter(|name| {
            let opened = File::options().read(true).write(true).open(dev.join(name));
            opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        })
        .collect();
    closed.sort();
    closed
}
