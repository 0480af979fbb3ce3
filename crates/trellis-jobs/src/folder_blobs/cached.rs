//! What of the files stays in the kernel's page cache.
//!
//! A result is read once, as a rule: by whoever asked for it, soon after it was stored. Pages that are let go then serve
//! the next one; fresh ones cost several times as much where a virtual machine's host has to provide them, and those of
//! old results push out models. What is read again after that stays cached as the kernel sees fit.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::BlobKey;

/// So many results are remembered; the cached pages of older ones are left to the kernel.
const REMEMBERED: usize = 256;

/// Results that nobody has read yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Unread(Mutex<VecDeque<BlobKey>>);

impl Unread {
    /// A result was stored.
    pub(super) fn add(&self, key: &BlobKey) {
        let mut keys = self.lock();
        if keys.len() == REMEMBERED {
            keys.pop_front();
        }
        keys.push_back(key.clone());
    }

    pub(super) fn is_one(&self, key: &BlobKey) -> bool {
        self.lock().contains(key)
    }

    /// It was read: whether that was the first time.
    pub(super) fn remove(&self, key: &BlobKey) -> bool {
        let mut keys = self.lock();
        let found = keys.iter().position(|unread| unread == key);
        found.is_some_and(|at| keys.remove(at).is_some())
    }

    /// Nothing panics while it is locked, so it is whole.
    fn lock(&self) -> MutexGuard<'_, VecDeque<BlobKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the kernel use a file's cached pages for something else. A hint: what was not flushed yet stays.
#[cfg(target_os = "linux")]
pub(super) fn let_go(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn let_go(_file: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_unread_once_and_few_are_remembered() {
        let key = |number: usize| BlobKey::from_stored(format!("jobs/{number}"));
        let unread = Unread::default();
        for number in 0..=REMEMBERED {
            unread.add(&key(number));
        }
        assert!(!unread.is_one(&key(0)), "the oldest is forgotten");
        assert!(unread.is_one(&key(1)));
        assert!(unread.remove(&key(1)));
        assert!(!unread.remove(&key(1)) && !unread.is_one(&key(1)));
    }
}
