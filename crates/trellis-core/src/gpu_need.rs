//! What GPU memory work takes, in the two ways of keeping models.

/// A figure for each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuNeed {
    /// With all models on the GPU, bytes.
    pub resident_bytes: u64,
    /// With each model there for its stage only, bytes.
    pub low_bytes: u64,
}

/// TRELLIS.2's peak in low-VRAM mode at a resolution of 1024, on an A40. At 512 it cannot be more.
const LOW_AT_1024: u64 = 7_100_000_000;
/// The largest model of TRELLIS.2, a flow.
const FLOW_BYTES: u64 = 2_584_672_728;

impl GpuNeed {
    /// What a process of CUDA takes besides torch's own memory.
    pub const CONTEXT_BYTES: u64 = 512 << 20;

    /// Of TRELLIS.2 at a resolution, by what others report (docs/trellis2.md) and what was measured (docs/performance.md).
    pub const fn of_trellis2(resolution: u32) -> Self {
        // With all models on the GPU, which take 15.2 GiB: its authors ask for 24 GB. At 1024 a sphere that nearly fills the
        // space had 25.9 GiB in use, and what is more leaves room for a larger surface. 80 GB were too little for 1536.
        let resident_bytes = match resolution {
            0..=512 => 24_000_000_000,
            513..=1024 => 30_000_000_000,
            _ => 96_000_000_000,
        };
        let mut low_bytes = LOW_AT_1024;
        if resolution > 1024 {
            // A surface has as many more places as the square of its resolution says; the model is the same.
            let side = resolution as u64;
            low_bytes = FLOW_BYTES + (LOW_AT_1024 - FLOW_BYTES) * side * side / (1024 * 1024);
        }
        Self {
            resident_bytes,
            low_bytes: low_bytes + Self::CONTEXT_BYTES,
        }
    }
}
