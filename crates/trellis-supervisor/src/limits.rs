//! How long a worker may take for what, and how often it is tried again. The only place for these numbers.

use std::time::Duration;

use trellis_core::Stage;

/// Times and counts of one worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// From the process's start to `hello`: importing torch from a slow disk takes a minute.
    pub start: Duration,
    /// Between two signs of progress while loading: one checkpoint from a slow disk, or one stage of the
    /// warm-up while the driver compiles for a GPU that a library holds only PTX for.
    pub load: Duration,
    /// Between two pings.
    pub ping_every: Duration,
    /// From the last answer to giving up.
    pub silence: Duration,
    /// Multiplies the time that a stage may take between two steps ([`Limits::stall`]).
    pub patience: f64,
    /// From `cancel` to giving up.
    pub cancel: Duration,
    /// From `shutdown` to killing.
    pub shutdown: Duration,
    /// The wait after the first failed start; it doubles with each one.
    pub first_wait: Duration,
    /// The longest wait between two starts.
    pub longest_wait: Duration,
    /// So many failed starts in a row, and the worker counts as broken: jobs no longer wait for it.
    pub broken_after: u32,
    /// How often a broken worker is tried.
    pub broken_wait: Duration,
    /// A process is replaced after so many jobs.
    pub jobs_per_process: u32,
    /// A process is replaced once its memory has grown by so much since its first job.
    pub rss_growth_bytes: u64,
    /// The same for the VRAM that it holds between jobs.
    pub vram_growth_bytes: u64,
    /// How often a job whose worker was lost is given to a fresh one.
    pub retries: u32,
    /// Most pixels of a picture.
    pub max_pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(180),
            load: Duration::from_secs(900),
            ping_every: Duration::from_secs(5),
            silence: Duration::from_secs(30),
            patience: 1.0,
            cancel: Duration::from_secs(20),
            shutdown: Duration::from_secs(10),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            broken_after: 3,
            broken_wait: Duration::from_secs(300),
            jobs_per_process: 200,
            rss_growth_bytes: 8 << 30,
            vram_growth_bytes: 2 << 30,
            retries: 2,
            max_pixels: 64_000_000,
        }
    }
}

impl Limits {
    /// How long a stage may go without a step. Steps of the samplers take a second; the first may wait
    /// for the driver to compile. Simplifying and unwrapping a mesh is one step and takes minutes at worst.
    pub fn stall(&self, stage: Stage) -> Duration {
        let seconds = match stage {
            Stage::Preprocess | Stage::Condition => 180,
            Stage::SparseStructure
            | Stage::StructuredLatent
            | Stage::TextureLatent
            | Stage::Decode
            | Stage::Export => 300,
            Stage::Simplify | Stage::Texture => 600,
        };
        Duration::from_secs(seconds).mul_f64(self.patience)
    }

    /// Whether the worker may leave pings unanswered in a stage: mesh libraries keep Python's lock for as
    /// long as a call takes. The stall limit holds there alone.
    pub fn may_be_silent(stage: Stage) -> bool {
        matches!(stage, Stage::Simplify | Stage::Texture | Stage::Export)
    }

    /// The wait before the next start after so many failed ones in a row; `jitter` from 0 to 1 spreads
    /// workers that failed together.
    pub fn wait(&self, failures: u32, jitter: f64) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        if failures >= self.broken_after {
            return self.broken_wait;
        }
        let doubled = self.first_wait.saturating_mul(1 << (failures - 1).min(16));
        doubled
            .min(self.longest_wait)
            .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_and_then_the_worker_is_broken() {
        let limits = Limits {
            broken_after: 20,
            ..Limits::default()
        };
        let waits: Vec<u64> = (0..10)
            .map(|failures| limits.wait(failures, 1.0).as_millis().try_into().unwrap())
            .collect();
        assert_eq!(
            waits,
            [0, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!(limits.wait(20, 0.0), limits.broken_wait);
        assert_eq!(limits.wait(1, 0.0), Duration::from_millis(250));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_longest(failures in any::<u32>(), jitter in any::<f64>()) {
            let limits = Limits::default();
            prop_assert!(limits.wait(failures, jitter) <= limits.broken_wait);
        }
    }
}
