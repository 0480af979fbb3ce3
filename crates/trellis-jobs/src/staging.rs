//! How much may lie on disk of submissions that are still coming in.
//!
//! A client decides how slowly it sends, so that what it holds here must never keep others out: when room runs
//! out, the submission that began first makes room for the one that goes on. Whoever sends at an ordinary speed
//! is done before that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::parts::{Part, Parts};

/// So many files gather what comes in small pieces, 2 MiB together; those of more clients are written as it comes.
const GATHERING: usize = 16;

/// The room for submissions that are coming in. Clones share it.
#[derive(Debug, Clone)]
pub struct Staging(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit_bytes: u64,
    table: Mutex<Table>,
    parts: Parts,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    held_bytes: u64,
    /// By age: the first began first.
    open: BTreeMap<u64, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    bytes: u64,
    displaced: CancellationToken,
}

/// There is no room left, or this submission made room for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Staging {
    /// Room for `limit_bytes` in all.
    pub fn new(limit_bytes: u64) -> Self {
        Self(Arc::new(Shared {
            limit_bytes,
            table: Mutex::default(),
            parts: Parts::default(),
        }))
    }

    /// How many bytes are held now.
    pub fn held_bytes(&self) -> u64 {
        self.0.lock().held_bytes
    }

    /// A submission begins.
    pub(crate) fn enter(&self) -> Berth {
        let mut table = self.0.lock();
        let id = table.next;
        table.next += 1;
        let displaced = CancellationToken::new();
        table.open.insert(
            id,
            Entry {
                bytes: 0,
                displaced: displaced.clone(),
            },
        );
        Berth(Arc::new(Entered {
            id,
            displaced,
            shared: Arc::clone(&self.0),
        }))
    }
}

impl Shared {
    /// Nothing panics while the table is locked, so it is whole.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn close(&mut self, id: u64) -> Option<Entry> {
        let entry = self.open.remove(&id)?;
        self.held_bytes -= entry.bytes;
        Some(entry)
    }

    /// Ends the submission that began first and holds anything; `None` where that is `id` itself.
    fn displace_before(&mut self, id: u64) -> Option<()> {
        let holds = self.open.iter().find(|(_, entry)| entry.bytes > 0);
        let first = *holds.map(|(first, _)| first).filter(|first| **first != id)?;
        self.close(first)?.displaced.cancel();
        Some(())
    }
}

/// What one submission holds; released with its last clone.
#[derive(Debug, Clone)]
pub(crate) struct Berth(Arc<Entered>);

#[derive(Debug)]
struct Entered {
    id: u64,
    displaced: CancellationToken,
    shared: Arc<Shared>,
}

impl Berth {
    /// Takes `bytes` more, in the place of older submissions where there is no room.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), NoRoom> {
        let Entered { id, shared, .. } = &*self.0;
        let mut table = shared.lock();
        while table.open.contains_key(id) && table.held_bytes.saturating_add(bytes) > shared.limit_bytes {
            table.displace_before(*id).ok_or(NoRoom)?;
        }
        table.open.get_mut(id).ok_or(NoRoom)?.bytes += bytes;
        table.held_bytes += bytes;
        Ok(())
    }

    /// Gives back what was taken before.
    pub(crate) fn give_back(&self, bytes: u64) {
        let mut table = self.0.shared.lock();
        if let Some(entry) = table.open.get_mut(&self.0.id) {
            let bytes = bytes.min(entry.bytes);
            entry.bytes -= bytes;
            table.held_bytes -= bytes;
        }
    }

    /// Memory to gather small pieces in, where not too many others do so.
    pub(crate) fn part(&self) -> Option<Part> {
        self.0.shared.parts.take_one_of(GATHERING)
    }

    /// Set once this submission has made room for others.
    pub(crate) fn displaced(&self) -> CancellationToken {
        self.0.displaced.clone()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.lock().close(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_submission_that_began_first_makes_room() {
        let staging = Staging::new(10);
        let idle = staging.enter();
        let (first, second, third) = (staging.enter(), staging.enter(), staging.enter());
        first.take(4).unwrap();
        second.take(6).unwrap();
        third.take(3).unwrap();
        assert!(first.displaced().is_cancelled() && !second.displaced().is_cancelled());
        assert_eq!(staging.held_bytes(), 9);
        assert_eq!(first.take(1), Err(NoRoom));
        first.give_back(4);
        drop(first);
        assert_eq!(staging.held_bytes(), 9, "released once");
        assert!(!idle.displaced().is_cancelled(), "one that holds nothing stays");
        assert_eq!(
            second.take(11),
            Err(NoRoom),
            "the oldest is not helped by newer ones"
        );
        assert_eq!(third.take(11), Err(NoRoom), "nor by more than all");
    }

    #[test]
    fn room_is_released_with_the_last_clone() {
        let staging = Staging::new(10);
        let berth = staging.enter();
        let clone = berth.clone();
        berth.take(4).unwrap();
        clone.take(6).unwrap();
        drop(berth);
        assert_eq!(staging.held_bytes(), 10);
        clone.give_back(6);
        assert_eq!(staging.held_bytes(), 4);
        drop(clone);
        assert_eq!(staging.held_bytes(), 0);
        staging.enter().take(10).unwrap();
    }
}
