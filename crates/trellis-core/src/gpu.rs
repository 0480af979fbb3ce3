//! What is known of an NVIDIA GPU. Asking the driver for it is `trellis-gpu`'s.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Where the driver's libraries are on systems whose linker does not know them: NixOS and Linux inside Windows.
pub const DRIVER_FOLDERS: [&str; 2] = ["/run/opengl-driver/lib", "/usr/lib/wsl/lib"];

/// A GPU, or a slice of one (MIG), which counts as a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its number in bus order; a slice has its parent's.
    pub index: u32,
    /// Its UUID, as `CUDA_VISIBLE_DEVICES` takes it.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub capability: Capability,
    /// All of its memory.
    pub memory_bytes: u64,
    /// What is free of it now.
    pub free_bytes: u64,
    /// In °C, where the driver tells.
    pub temperature: Option<u32>,
    /// Share of the last moments in which it worked, in percent, where the driver tells.
    pub utilisation: Option<u32>,
    /// What it draws, in mW, where the driver tells.
    pub power_milliwatts: Option<u32>,
    /// Whether the driver stays loaded when nobody uses the GPU; `None` where that cannot be told.
    pub persistent: Option<bool>,
    /// The processes that hold its memory.
    pub processes: Vec<GpuProcess>,
}

/// A process on a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuProcess {
    /// Its id.
    pub pid: u32,
    /// Its command, if it may be read.
    pub name: Option<String>,
    /// The memory it holds, where the driver tells.
    pub memory_bytes: Option<u64>,
}

/// What a GPU can run, such as 12.0 for an RTX 5090.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    /// Before the point.
    pub major: u32,
    /// After the point, 0–9.
    pub minor: u32,
}

impl Capability {
    /// The number that architectures of this capability carry: 120 for 12.0.
    pub fn number(self) -> u32 {
        self.major * 10 + self.minor
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Not of the form `12.0`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a capability: write it as in `12.0`")]
pub struct InvalidCapability(String);

impl FromStr for Capability {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidCapability(text.to_owned());
        let (major, minor) = text.split_once('.').ok_or_else(invalid)?;
        let number = |part: &str, limit: u32| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>()
                .ok()
                .filter(|value| digits && *value <= limit)
                .ok_or_else(invalid)
        };
        Ok(Self {
            major: number(major, 99)?,
            minor: number(minor, 9)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capability_is_read_strictly() {
        assert_eq!("12.0".parse(), Ok(Capability { major: 12, minor: 0 }));
        for wrong in [
            "",
            "12",
            "12.",
            ".0",
            "12.10",
            "sm_120",
            "+12.0",
            "12.0 ",
            "4294967296.0",
        ] {
            assert!(wrong.parse::<Capability>().is_err(), "{wrong}");
        }
    }
}
