//! Memory for parts of files on their way in or out, used again and again.
//!
//! The allocator gives large pieces back to the system at once, so that new ones cost a page fault for each 4 KiB.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// How much of a file is in memory at a time: little, because a client may take its time.
pub(crate) const PART_BYTES: usize = 128 << 10;
/// Unused parts that are kept.
const KEPT: usize = 4;

/// Where parts come from and go back to. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    unused: Vec<Box<[u8]>>,
    out: usize,
}

/// Memory for [`PART_BYTES`], of which the first `filled` are of use. Goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Part {
    memory: Box<[u8]>,
    filled: usize,
    parts: Parts,
}

impl Parts {
    /// One more part, provided that fewer than `most` are out.
    pub(crate) fn take_one_of(&self, most: usize) -> Option<Part> {
        let mut shared = self.lock();
        if shared.out >= most {
            return None;
        }
        shared.out += 1;
        let memory = shared.unused.pop();
        drop(shared);
        Some(Part {
            memory: memory.unwrap_or_else(|| vec![0; PART_BYTES].into()),
            filled: 0,
            parts: self.clone(),
        })
    }

    /// One more part.
    pub(crate) fn take(&self) -> Part {
        self.take_one_of(usize::MAX).expect("there is no limit")
    }

    /// Nothing panics while it is locked, so it is whole.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// The memory that is not filled.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.filled..]
    }

    /// Says that the first `bytes` of [`Self::room`] are of use now.
    pub(crate) fn fill(&mut self, bytes: usize) {
        self.filled += bytes;
    }

    /// Takes as much of `bytes` as there is room for, and returns how much that is.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> usize {
        let room = self.room();
        let taken = bytes.len().min(room.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.fill(taken);
        taken
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.memory.len()
    }

    /// As bytes to share; the memory goes back with the last of them.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut shared = self.parts.lock();
        shared.out -= 1;
        if shared.unused.len() < KEPT {
            shared.unused.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_little_of_it_is_kept() {
        let parts = Parts::default();
        let mut part = parts.take();
        let place = part.room().as_ptr();
        assert_eq!(part.add(b"abc"), 3);
        let bytes = part.freeze();
        let shared = bytes.slice(1..);
        drop(bytes);
        assert_eq!(shared, "bc");
        assert!(parts.take().room().as_ptr() != place, "it is still read");
        drop(shared);
        assert_eq!(parts.lock().out, 0);
        let taken: Vec<Part> = (0..10).map(|_| parts.take()).collect();
        assert!(taken.iter().any(|part| part.memory.as_ptr() == place));
        assert!(taken.iter().all(|part| part.as_ref().is_empty()));
        drop(taken);
        assert_eq!(parts.lock().unused.len(), KEPT);
    }

    #[test]
    fn no_more_are_out_than_asked_for() {
        let parts = Parts::default();
        let first = parts.take_one_of(2).unwrap();
        let second = parts.take();
        assert!(parts.take_one_of(2).is_none());
        drop(first);
        assert!(parts.take_one_of(2).is_some());
        drop(second);
    }

    #[test]
    fn a_part_takes_what_fits() {
        let parts = Parts::default();
        let mut part = parts.take();
        part.fill(PART_BYTES - 2);
        assert_eq!(part.add(b"abc"), 2);
        assert!(part.is_full());
        assert_eq!(part.add(b"c"), 0);
    }
}
