//! Which GPUs get a worker: all, or some by number or UUID; one that is named twice gets two.

use std::fmt;
use std::str::FromStr;

use trellis_core::Gpu;

use crate::Gpus;

/// Which GPUs get a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuChoice {
    /// All there are.
    All,
    /// Those of these numbers or UUIDs, one worker for each time that it is named.
    Some(Vec<String>),
    /// So many workers without looking for GPUs; for tests with a stand-in.
    Unchecked(u32),
}

/// Each is a process with a copy of the models.
const MOST_WORKERS: u32 = 64;

/// A text that chooses no GPUs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` does not choose GPUs: write `all`, or up to {MOST_WORKERS} numbers and UUIDs with commas between them, such \
     as `0,1`"
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
            let count = count
                .parse()
                .ok()
                .filter(|count| (1..=MOST_WORKERS).contains(count));
            return count.map(Self::Unchecked).ok_or_else(invalid);
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let known = |name: &String| {
            name.parse::<u32>().is_ok() || name.starts_with("GPU-") || name.starts_with("MIG-")
        };
        if names.len() <= MOST_WORKERS as usize && names.iter().all(known) {
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
    /// The chosen ones, one for each worker: as often as they are named. A number stands for all slices of its GPU.
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
            chosen.extend(found.into_iter().cloned());
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::Capability;

    use super::*;

    fn gpu(index: u32, uuid: &str) -> Gpu {
        Gpu {
            index,
            uuid: uuid.to_owned(),
            name: "NVIDIA H100".to_owned(),
            capability: Capability { major: 9, minor: 0 },
            memory_bytes: 80 << 30,
            free_bytes: 79 << 30,
            temperature: None,
            utilisation: None,
            power_milliwatts: None,
            persistent: None,
            processes: vec![],
        }
    }

    #[test]
    fn a_choice_is_read_as_it_is_shown() {
        for text in ["all", "0", "0,1", "GPU-8f1c,MIG-2a", "unchecked:2"] {
            assert_eq!(text.parse::<GpuChoice>().unwrap().to_string(), text);
        }
        let many = ["0"; 65].join(",");
        for text in [
            "",
            "none",
            "0,,1",
            "unchecked:0",
            "unchecked:1000",
            "cuda:0",
            &many,
        ] {
            assert!(text.parse::<GpuChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_and_uuids_name_a_gpu_for_each_worker() {
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
        assert_eq!(uuids("MIG-c,0").unwrap(), ["MIG-c", "GPU-a"]);
        assert_eq!(
            uuids("0,GPU-a,1,0").unwrap(),
            ["GPU-a", "GPU-a", "MIG-b", "MIG-c", "GPU-a"]
        );
        let error = uuids("7").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no GPU `7`: 0 (GPU-a), 1 (MIG-b), 1 (MIG-c) are there"
        );
    }
}
