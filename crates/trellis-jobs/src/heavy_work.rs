//! Work that takes memory and a core while a submission is looked at: bounded in all, and waited for no longer than
//! a client would.
//!
//! A turn is never held while a client sends: what comes in is on disk before anybody asks for one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::spare::{Lent, Spare};

/// Memory is counted in these.
const UNIT_BYTES: u64 = 64 << 10;
/// No work counts as less than this part of all, which bounds the threads that are at work.
const PARTS: u64 = 8;

/// The memory that such work may take in all. Clones share it.
#[derive(Debug, Clone)]
pub struct HeavyWork {
    free: Arc<Semaphore>,
    units: u32,
    patience: Duration,
    spare: Spare,
}

/// No turn came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server has more submissions to look at than it can")]
pub struct Busy;

/// Memory that may be used until this is dropped.
#[derive(Debug)]
#[must_use = "the memory is free again when this is dropped"]
pub struct Turn(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl HeavyWork {
    /// Work that takes `memory_bytes` in all, each waiting no longer than `patience`.
    pub fn new(memory_bytes: u64, patience: Duration) -> Self {
        let most = u64::from(u32::MAX).min(Semaphore::MAX_PERMITS as u64);
        let units = (memory_bytes / UNIT_BYTES).clamp(1, most);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Self {
            free: Arc::new(Semaphore::new(units as usize)),
            units,
            patience,
            spare: Spare::default(),
        }
    }

    /// Memory for a file that is looked at, which takes no turn by itself.
    pub(crate) fn memory(&self, bytes: u64) -> Lent {
        self.spare.take(bytes)
    }

    /// Waits for a turn that takes `bytes`; what takes more than all takes all.
    pub async fn turn(&self, bytes: u64) -> Result<Turn, Busy> {
        let units = u64::from(self.units);
        let asked = bytes.div_ceil(UNIT_BYTES).max(units.div_ceil(PARTS)).min(units);
        let asked = u32::try_from(asked).unwrap_or(self.units);
        let waiting = Arc::clone(&self.free).acquire_many_owned(asked);
        match timeout(self.patience, waiting).await {
            // Never closed.
            Ok(permit) => permit.map(Turn).map_err(|_| Busy),
            Err(_) => Err(Busy),
        }
    }

    /// Does `work`, which takes `bytes`, on a thread that may be busy. A panic of it goes on here. Where nobody
    /// waits for it any more, it is still counted until it ends.
    pub async fn run<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let turn = self.turn(bytes).await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        Ok(done
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_in_time_is_told() {
        let all = HeavyWork::new(16 << 20, PATIENCE);
        let held = all.turn(u64::MAX).await.unwrap();
        assert_eq!(all.run(1, || ()).await, Err(Busy));
        drop(held);
        assert_eq!(all.run(1, || 7).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn small_work_is_bounded_in_number_and_large_work_by_its_size() {
        let all = HeavyWork::new(16 << 20, PATIENCE);
        let mut held = Vec::new();
        while let Ok(turn) = all.turn(0).await {
            held.push(turn);
        }
        assert_eq!(held.len(), 8);
        held.truncate(4);
        let _half = all.turn(8 << 20).await.unwrap();
        assert!(all.turn(0).await.is_err());
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_counted_until_it_ends() {
        let all = HeavyWork::new(1 << 20, PATIENCE);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (begun, mut at_work) = tokio::sync::mpsc::channel(1);
        let work = all.run(u64::MAX, move || {
            begun.blocking_send(()).unwrap();
            wait.recv().unwrap();
        });
        tokio::select! {
            _ = work => unreachable!("it waits to be told"),
            _ = at_work.recv() => {}
        }
        assert_eq!(all.free.available_permits(), 0);
        go.send(()).unwrap();
        let _turn = all.turn(u64::MAX).await.unwrap();
    }
}
