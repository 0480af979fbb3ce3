//! A GPU's memory where several workers have it: an equal part for each.
//!
//! What is free at a moment says too little, for the others may hold less now than their next jobs take. So a worker counts
//! on its part of the most that was ever free, which is what there is for all of them together, and never on more than is
//! free now.

use std::sync::atomic::{AtomicU64, Ordering};

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

#[cfg(test)]
mod tests {
    use super::*;

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
