//! Looks at the machine: device files, where `libcuda` is, what system it is. What the driver says is handed in.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use trellis_core::{Capability, DRIVER_FOLDERS, Gpu};

/// NVIDIA's vendor number on the PCI bus.
const VENDOR: &str = "0x10de";
const LIBCUDA: &str = "libcuda.so.1";

/// The kinds of system whose driver is installed differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// NixOS.
    NixOs,
    /// Linux inside Windows, but for NixOS.
    Wsl,
    /// Any other Linux.
    Linux,
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
    /// It runs inside Windows, as NixOS may.
    pub in_windows: bool,
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
    /// Looks at this machine. `driver` is what the driver says of itself, `library_path` the value of
    /// `LD_LIBRARY_PATH`; `outside` are the folders of the system's libraries.
    pub fn look(driver: Driver, library_path: Option<&str>, outside: &[PathBuf]) -> Self {
        let mut folders: Vec<PathBuf> = library_path
            .unwrap_or_default()
            .split(':')
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .collect();
        folders.extend(DRIVER_FOLDERS.map(PathBuf::from));
        folders.extend_from_slice(outside);
        let mut places = folders.iter().map(|folder| folder.join(LIBCUDA));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let in_windows = is_of_wsl(&kernel);
        Self {
            place: place(Path::new("/etc/NIXOS").exists(), in_windows),
            in_windows,
            hardware: hardware(),
            driver,
            libcuda: places.find(|path| path.exists()),
            closed_nodes: closed_nodes(Path::new("/dev")),
        }
    }

    /// The capability of the first GPU, if there is one.
    pub fn capability(&self) -> Option<Capability> {
        self.capabilities().first().copied()
    }

    /// The capability of each GPU.
    pub fn capabilities(&self) -> Vec<Capability> {
        match &self.driver {
            Driver::Running { gpus, .. } => gpus.iter().map(|gpu| gpu.capability).collect(),
            Driver::Missing | Driver::Broken { .. } => Vec::new(),
        }
    }
}

/// Whether a kernel's release is that of one that Windows runs, such as `5.15.167.4-microsoft-standard-WSL2`.
fn is_of_wsl(release: &str) -> bool {
    release.to_ascii_lowercase().contains("microsoft")
}

fn place(is_nixos: bool, in_windows: bool) -> Place {
    if is_nixos {
        Place::NixOs
    } else if in_windows {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_windows_whatever_runs_on_it() {
        for (kernel, in_windows) in [
            ("5.15.167.4-microsoft-standard-WSL2\n", true),
            ("4.4.0-19041-Microsoft\n", true),
            ("6.12.41\n", false),
            ("", false),
        ] {
            assert_eq!(is_of_wsl(kernel), in_windows, "{kernel}");
        }
        assert_eq!(place(true, true), Place::NixOs);
        assert_eq!(place(false, true), Place::Wsl);
        assert_eq!(place(false, false), Place::Linux);
    }
}
