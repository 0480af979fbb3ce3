//! A GPU's memory where several workers have it: an equal part for each.
//!
//! What is free at a moment says too little, for the others may hold less now than their next jobs take. So a worker counts
//! on its part of the most that was ever free, which is what there is for all of them together, and never on more than is
//! free now.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trellis_core::Gpu;
use trellis_gpu::GpuChoice;

/// The workers of a GPU.
#[derive(Debug)]
pub(crate) struct Share {
    workers: u64,
    /// The most bytes that were free at a start.
    room: AtomicU64,
}

impl Share {
    /// So many workers, at least one.
    pub(crate) fn among(workers: usize) -> Self {
        Self {
            workers: u64::try_from(workers).unwrap_or(u64::MAX).max(1),
            room: AtomicU64::new(0),
        }
    }

    pub(crate) fn workers(&self) -> u64 {
        self.workers
    }

    /// How many of the `free` bytes a worker that is about to start may count on.
    pub(crate) fn of_free(&self, free: u64) -> u64 {
        let room = self.room.fetch_max(free, Ordering::Relaxed).max(free);
        free.min(room / self.workers)
    }

    /// What a worker may have of all the memory.
    pub(crate) fn of_all(&self, bytes: u64) -> u64 {
        bytes / self.workers
    }
}

/// The shares of all GPUs of a server: the workers of one GPU have one, whatever their models are.
#[derive(Debug, Clone, Default)]
pub struct Shares(HashMap<String, Arc<Share>>);

impl Shares {
    /// Looks for the GPUs that each model's workers were given. Blocks. One that is not found is told where its workers are
    /// started.
    pub fn among(choices: &[GpuChoice]) -> Self {
        let is_checked = |choice: &&GpuChoice| !matches!(choice, GpuChoice::Unchecked(_));
        if !choices.iter().any(|choice| is_checked(&choice)) {
            return Self::default();
        }
        let Ok(found) = trellis_gpu::list(&[]) else {
            return Self::default();
        };
        let chosen = choices
            .iter()
            .filter(is_checked)
            .filter_map(|choice| found.chosen(choice).ok());
        Self::of(chosen.flatten().map(|gpu| gpu.uuid))
    }

    /// One share for each of the GPUs, which are named once for each worker.
    fn of(uuids: impl Iterator<Item = String>) -> Self {
        let mut workers: HashMap<String, usize> = HashMap::new();
        for uuid in uuids {
            *workers.entry(uuid).or_default() += 1;
        }
        let shares = workers.into_iter();
        Self(
            shares
                .map(|(uuid, count)| (uuid, Arc::new(Share::among(count))))
                .collect(),
        )
    }

    /// The share of a worker on that GPU; all of it where nobody else is known to have some.
    pub(crate) fn on(&self, gpu: Option<&Gpu>) -> Arc<Share> {
        let share = gpu.and_then(|gpu| self.0.get(&gpu.uuid));
        share.map_or_else(|| Arc::new(Share::among(1)), Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_of_a_gpu_share_it_whatever_their_models_are() {
        let gpu = |uuid: &str| Gpu {
            index: 0,
            uuid: uuid.to_owned(),
            name: "NVIDIA H100".to_owned(),
            capability: trellis_core::Capability { major: 9, minor: 0 },
            memory_bytes: 80,
            free_bytes: 80,
            temperature: None,
            utilisation: None,
            power_milliwatts: None,
            persistent: None,
            processes: vec![],
        };
        // The first model's workers, and the second's.
        let chosen = ["a", "b", "a"].into_iter().chain(["a", "c"]);
        let shares = Shares::of(chosen.map(str::to_owned));
        let workers = |uuid| shares.on(Some(&gpu(uuid))).workers();
        assert_eq!(["a", "b", "c", "d"].map(workers), [3, 1, 1, 1]);
        assert_eq!(shares.on(None).workers(), 1);
        // What one of them saw free counts for the other.
        assert_eq!(shares.on(Some(&gpu("a"))).of_free(30), 10);
        assert_eq!(shares.on(Some(&gpu("a"))).of_free(21), 10);
    }

    #[test]
    fn each_has_an_equal_part_whoever_starts_first() {
        let alone = Share::among(1);
        assert_eq!(
            (alone.of_free(20), alone.of_free(7), alone.of_all(24)),
            (20, 7, 24)
        );
        let two = Share::among(2);
        assert_eq!(two.of_free(20), 10);
        // The first has loaded its models; a job of its will take more.
        assert_eq!(two.of_free(15), 10);
        // Another program came.
        assert_eq!(two.of_free(6), 6);
        assert_eq!(two.of_all(24), 12);
    }
}
