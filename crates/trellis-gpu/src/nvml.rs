//! Asks the driver's management library (NVML) for its GPUs. It is loaded at run time.

use std::fs;
use std::path::{Path, PathBuf};

use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use trellis_core::{Capability, DRIVER_FOLDERS, Gpu, GpuProcess};

const LIBRARY: &str = "libnvidia-ml.so.1";

/// The GPUs and their driver.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Asks the driver, whose library is where the linker finds it, else in a folder of [`DRIVER_FOLDERS`] or of
/// `system`. Blocks for some milliseconds.
pub fn list(system: &[PathBuf]) -> Result<Gpus, GpuError> {
    let nvml = open(system)?;
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

fn open(system: &[PathBuf]) -> Result<Nvml, GpuError> {
    let folders = DRIVER_FOLDERS.iter().map(Path::new);
    let folders = folders.chain(system.iter().map(PathBuf::as_path));
    let places = std::iter::once(PathBuf::from(LIBRARY)).chain(folders.map(|folder| folder.join(LIBRARY)));
    let mut first = None;
    for library in places {
        match Nvml::builder().lib_path(library.as_os_str()).init() {
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
    Ok(Gpu {
        index,
        uuid: device.uuid()?,
        name: device.name().or_else(|_| whole.name())?,
        capability: Capability {
            major: u32::try_from(capability.major).unwrap_or_default(),
            minor: u32::try_from(capability.minor).unwrap_or_default(),
        },
        memory_bytes: memory.total,
        free_bytes: memory.free,
        temperature: whole.temperature(TemperatureSensor::Gpu).ok(),
        utilisation: whole.utilization_rates().ok().map(|rates| rates.gpu),
        power_milliwatts: whole.power_usage().ok(),
        persistent: whole.is_in_persistent_mode().ok(),
        processes: processes(device),
    })
}

/// What holds memory, this process aside.
fn processes(device: &Device<'_>) -> Vec<GpuProcess> {
    let lists = [
        device.running_compute_processes(),
        device.running_graphics_processes(),
    ];
    let mut processes: Vec<GpuProcess> = lists
        .into_iter()
        .flat_map(Result::unwrap_or_default)
        .filter(|process| process.pid != std::process::id())
        .map(|process| GpuProcess {
            pid: process.pid,
            name: fs::read_to_string(format!("/proc/{}/comm", process.pid))
                .ok()
                .map(|name| name.trim().to_owned()),
            memory_bytes: match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            },
        })
        .collect();
    processes.sort_by_key(|process| (process.pid, process.memory_bytes));
    processes.dedup_by_key(|process| process.pid);
    processes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_driver_says_so() {
        match list(&[]) {
            Ok(found) => assert!(!found.driver.is_empty()),
            Err(error) => assert!(error.to_string().contains("NVIDIA driver"), "{error}"),
        }
    }
}
