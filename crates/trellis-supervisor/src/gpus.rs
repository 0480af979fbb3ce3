//! The GPUs of this machine as the driver's management library (NVML) knows them.
//!
//! The library is loaded at run time; where it is absent there are no GPUs, and the reason is told.

use std::fmt;
use std::str::FromStr;

use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use serde::Serialize;

/// Where the library is, first match first: the linker's choice, NixOS, WSL.
const LIBRARIES: &[&str] = &[
    "libnvidia-ml.so.1",
    "/run/opengl-driver/lib/libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
];

/// A GPU, or a slice of one (MIG), which counts as a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Its number in bus order; a slice has its parent's.
    pub index: u32,
    /// Its UUID, as `CUDA_VISIBLE_DEVICES` takes it.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Its compute capability, such as `12.0`.
    pub capability: String,
    /// All of its memory.
    pub memory_bytes: u64,
    /// What is free of it now.
    pub free_bytes: u64,
    /// In °C, where the driver tells.
    pub temperature: Option<u32>,
    /// Share of the last moments in which it worked, in percent, where the driver tells.
    pub utilisation: Option<u32>,
    /// The processes that hold its memory.
    pub processes: Vec<GpuProcess>,
}

/// A process on a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpuProcess {
    /// The process.
    pub pid: u32,
    /// The memory it holds, where the driver tells.
    pub memory_bytes: Option<u64>,
}

/// The GPUs and their driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpus {
    /// The driver's version, such as `570.86.15`.
    pub driver: String,
    /// In bus order.
    pub gpus: Vec<Gpu>,
}

/// Why no GPUs can be listed.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// There is no management library, so there is no driver.
    #[error("no NVIDIA driver is found: its management library cannot be loaded")]
    NoDriver {
        /// What the loader said.
        #[source]
        source: NvmlError,
    },
    /// The driver does not answer.
    #[error("the NVIDIA driver does not answer")]
    Driver {
        /// What it said.
        #[from]
        source: NvmlError,
    },
}

/// Asks the driver. Blocks for some milliseconds.
pub fn list() -> Result<Gpus, GpuError> {
    let nvml = open()?;
    let mut gpus = Vec::new();
    for index in 0..nvml.device_count()? {
        let device = nvml.device_by_index(index)?;
        let slices = slices(&device);
        if slices.is_empty() {
            gpus.push(facts(&device, index, None)?);
        }
        for slice in &slices {
            gpus.push(facts(slice, index, Some(&device))?);
        }
    }
    Ok(Gpus {
        driver: nvml.sys_driver_version()?,
        gpus,
    })
}

fn open() -> Result<Nvml, GpuError> {
    let mut first = None;
    for library in LIBRARIES {
        match Nvml::builder().lib_path(library.as_ref()).init() {
            Ok(nvml) => return Ok(nvml),
            Err(error @ NvmlError::LibloadingError(_)) => first = first.or(Some(error)),
            Err(source) => return Err(GpuError::Driver { source }),
        }
    }
    Err(GpuError::NoDriver {
        source: first.unwrap_or(NvmlError::LibraryNotFound),
    })
}

/// The MIG slices of a device; none where the mode is off or unknown to it.
fn slices<'nvml>(device: &Device<'nvml>) -> Vec<Device<'nvml>> {
    let count = device.mig_device_count().unwrap_or(0);
    (0..count)
        .filter_map(|index| device.mig_device_by_index(index).ok())
        .collect()
}

fn facts(device: &Device<'_>, index: u32, parent: Option<&Device<'_>>) -> Result<Gpu, NvmlError> {
    // What a slice does not know of itself, its parent does.
    let whole = parent.unwrap_or(device);
    let capability = whole.cuda_compute_capability()?;
    let memory = device.memory_info()?;
    let processes = device.running_compute_processes().unwrap_or_default();
    Ok(Gpu {
        index,
        uuid: device.uuid()?,
        name: device.name().or_else(|_| whole.name())?,
        capability: format!("{}.{}", capability.major, capability.minor),
        memory_bytes: memory.total,
        free_bytes: memory.free,
        temperature: whole.temperature(TemperatureSensor::Gpu).ok(),
        utilisation: whole.utilization_rates().ok().map(|rates| rates.gpu),
        processes: processes
            .into_iter()
            .map(|process| GpuProcess {
                pid: process.pid,
                memory_bytes: match process.used_gpu_memory {
                    UsedGpuMemory::Used(bytes) => Some(bytes),
                    UsedGpuMemory::Unavailable => None,
                },
            })
            .collect(),
    })
}

/// Which GPUs get a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuChoice {
    /// All there are.
    All,
    /// Those of these numbers or UUIDs.
    Some(Vec<String>),
    /// So many workers without looking for GPUs; for tests with a stand-in.
    Unchecked(u32),
}

/// A text that chooses no GPUs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` does not choose GPUs: write `all`, or numbers and UUIDs with commas between them, such as `0,1`"
)]
pub struct InvalidGpuChoice {
    /// What was given.
    pub text: String,
}

impl FromStr for GpuChoice {
    type Err = InvalidGpuChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidGpuChoice {
            text: text.chars().take(64).collect(),
        };
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(count) = text.strip_prefix("unchecked:") {
            let count = count.parse().ok().filter(|count| (1..=64).contains(count));
            return count.map(Self::Unchecked).ok_or_else(invalid);
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let known = |name: &String| {
            name.parse::<u32>().is_ok() || name.starts_with("GPU-") || name.starts_with("MIG-")
        };
        if names.iter().all(known) {
            Ok(Self::Some(names))
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for GpuChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Some(names) => f.write_str(&names.join(",")),
            Self::Unchecked(count) => write!(f, "unchecked:{count}"),
        }
    }
}

/// A chosen GPU that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no GPU `{name}`: {} are there", shown(.there))]
pub struct NoSuchGpu {
    /// What was chosen.
    pub name: String,
    /// The numbers and UUIDs that there are.
    pub there: Vec<String>,
}

fn shown(there: &[String]) -> String {
    if there.is_empty() {
        "none".to_owned()
    } else {
        there.join(", ")
    }
}

impl Gpus {
    /// The chosen ones, each once. A number stands for all slices of its GPU.
    pub fn chosen(&self, choice: &GpuChoice) -> Result<Vec<Gpu>, NoSuchGpu> {
        let GpuChoice::Some(names) = choice else {
            return Ok(self.gpus.clone());
        };
        let mut chosen: Vec<Gpu> = Vec::new();
        for name in names {
            let is_it = |gpu: &&Gpu| gpu.uuid == *name || gpu.index.to_string() == *name;
            let found: Vec<&Gpu> = self.gpus.iter().filter(is_it).collect();
            if found.is_empty() {
                let there = self
                    .gpus
                    .iter()
                    .map(|gpu| format!("{} ({})", gpu.index, gpu.uuid))
                    .collect();
                return Err(NoSuchGpu {
                    name: name.clone(),
                    there,
                });
            }
            for gpu in found {
                if chosen.iter().all(|other| other.uuid != gpu.uuid) {
                    chosen.push(gpu.clone());
                }
            }
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(index: u32, uuid: &str) -> Gpu {
        Gpu {
            index,
            uuid: uuid.to_owned(),
            name: "NVIDIA H100".to_owned(),
            capability: "9.0".to_owned(),
            memory_bytes: 80 << 30,
            free_bytes: 79 << 30,
            temperature: None,
            utilisation: None,
            processes: vec![],
        }
    }

    #[test]
    fn a_choice_is_read_as_it_is_shown() {
        for text in ["all", "0", "0,1", "GPU-8f1c,MIG-2a", "unchecked:2"] {
            assert_eq!(text.parse::<GpuChoice>().unwrap().to_string(), text);
        }
        for text in ["", "none", "0,,1", "unchecked:0", "unchecked:1000", "cuda:0"] {
            assert!(text.parse::<GpuChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_and_uuids_name_gpus_once() {
        let there = Gpus {
            driver: "570.86.15".to_owned(),
            gpus: vec![gpu(0, "GPU-a"), gpu(1, "MIG-b"), gpu(1, "MIG-c")],
        };
        let uuids = |text: &str| -> Result<Vec<String>, NoSuchGpu> {
            let chosen = there.chosen(&text.parse().unwrap())?;
            Ok(chosen.into_iter().map(|gpu| gpu.uuid).collect())
        };
        assert_eq!(uuids("all").unwrap(), ["GPU-a", "MIG-b", "MIG-c"]);
        assert_eq!(uuids("1").unwrap(), ["MIG-b", "MIG-c"]);
        assert_eq!(uuids("MIG-c,0,1").unwrap(), ["MIG-c", "GPU-a", "MIG-b"]);
        let error = uuids("7").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no GPU `7`: 0 (GPU-a), 1 (MIG-b), 1 (MIG-c) are there"
        );
    }

    #[test]
    fn a_machine_without_a_driver_says_so() {
        match list() {
            Ok(found) => assert!(!found.driver.is_empty()),
            Err(error) => assert!(error.to_string().contains("NVIDIA driver"), "{error}"),
        }
    }
}
