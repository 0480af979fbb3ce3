//! Memory for one whole file, kept for the next: most are read one after the other, and the allocator gives what is as
//! large back to the system, so that each 4 KiB of the next one would cost a page fault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// What is larger goes back to the system.
const KEPT_BYTES: usize = 2 << 20;

/// The memory, while nobody uses it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Vec<u8>>>);

impl Spare {
    /// Memory for `bytes`, the kept one where nobody else has it. Empty.
    pub(crate) fn take(&self, bytes: u64) -> Lent {
        let mut memory = std::mem::take(&mut *self.lock());
        memory.clear();
        memory.reserve(usize::try_from(bytes).unwrap_or_default());
        Lent {
            memory,
            spare: self.clone(),
        }
    }

    /// A list of bytes is whole whatever happened.
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory that goes back when it is dropped.
pub(crate) struct Lent {
    pub(crate) memory: Vec<u8>,
    spare: Spare,
}

impl Lent {
    /// As bytes to share; the memory goes back with the last of them.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut spare = self.spare.lock();
        if memory.capacity() <= KEPT_BYTES && memory.capacity() > spare.capacity() {
            *spare = memory;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_file_has_the_memory_of_the_one_before() {
        let spare = Spare::default();
        let mut first = spare.take(1000);
        first.memory.extend_from_slice(b"abc");
        let place = first.memory.as_ptr();
        let bytes = first.freeze();
        let shared = bytes.slice(1..);
        drop(bytes);
        assert_ne!(spare.take(1000).memory.as_ptr(), place, "it is still read");
        assert_eq!(shared, "bc");
        drop(shared);
        let again = spare.take(10);
        assert!(again.memory.is_empty());
        assert!(spare.lock().capacity() == 0, "it is used by one at a time");
    }

    #[test]
    fn what_is_large_is_not_kept() {
        let spare = Spare::default();
        drop(spare.take(KEPT_BYTES as u64 * 2));
        assert_eq!(spare.lock().capacity(), 0);
        let (one, other) = (spare.take(5000), spare.take(9000));
        drop(one);
        drop(other);
        assert!(spare.lock().capacity() >= 9000, "of two the larger one is kept");
    }
}
