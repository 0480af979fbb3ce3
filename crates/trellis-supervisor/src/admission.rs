//! Whether a GPU has enough free memory for a worker, asked before each start.

use crate::cause::Cause;
use crate::gpus::{Gpu, GpuProcess};

/// What a worker of TRELLIS-image-large needs with all models on the GPU. Reports from users: about 10 GB.
const NEEDED_BYTES: u64 = 10 << 30;
/// What it needs with each model there for its stage only. Reports from users: 6 to 8 GB. The mesh decoder,
/// whose grid is as large for the smallest of models, was measured at 6.2 GiB beside CUDA's own 0.5 GiB
/// (docs/gpu-run.md).
const NEEDED_LOW_BYTES: u64 = 7 << 30;

/// The mode in which a worker may start, `true` for low VRAM; it is lowered where only that fits.
pub(crate) fn admit(gpu: &Gpu, low_vram: bool) -> Result<bool, Cause> {
    if !low_vram && gpu.free_bytes >= NEEDED_BYTES {
        return Ok(false);
    }
    if gpu.free_bytes >= NEEDED_LOW_BYTES {
        return Ok(true);
    }
    let mut message = format!(
        "{} of {} are free on the GPU, a worker needs {}",
        gib(gpu.free_bytes),
        gib(gpu.memory_bytes),
        gib(NEEDED_LOW_BYTES)
    );
    if !gpu.processes.is_empty() {
        message.push_str("; held by ");
        message.push_str(&holders(&gpu.processes));
    }
    Err(Cause::NoMemory { message })
}

fn holders(processes: &[GpuProcess]) -> String {
    let mut sorted: Vec<&GpuProcess> = processes.iter().collect();
    sorted.sort_by_key(|process| std::cmp::Reverse(process.memory_bytes));
    let shown: Vec<String> = sorted
        .iter()
        .take(3)
        .map(|process| match process.memory_bytes {
            Some(bytes) => format!("process {} ({})", process.pid, gib(bytes)),
            None => format!("process {}", process.pid),
        })
        .collect();
    shown.join(", ")
}

/// Bytes for people.
pub(crate) fn gib(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let gib = bytes as f64 / f64::from(1 << 30);
    format!("{gib:.1} GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(free_gib: u64) -> Gpu {
        Gpu {
            index: 0,
            uuid: "GPU-a".to_owned(),
            name: "NVIDIA GeForce RTX 5090 Laptop GPU".to_owned(),
            capability: "12.0".to_owned(),
            memory_bytes: 24 << 30,
            free_bytes: free_gib << 30,
            temperature: None,
            utilisation: None,
            processes: vec![
                GpuProcess {
                    pid: 7,
                    memory_bytes: Some(2 << 30),
                },
                GpuProcess {
                    pid: 9,
                    memory_bytes: Some(18 << 30),
                },
            ],
        }
    }

    #[test]
    fn the_mode_follows_the_free_memory() {
        assert_eq!(admit(&gpu(20), false), Ok(false));
        assert_eq!(admit(&gpu(20), true), Ok(true));
        assert_eq!(admit(&gpu(7), false), Ok(true));
        let refused = admit(&gpu(4), false).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "4.0 GiB of 24.0 GiB are free on the GPU, a worker needs 7.0 GiB; \
             held by process 9 (18.0 GiB), process 7 (2.0 GiB)"
        );
    }
}
