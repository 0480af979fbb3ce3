//! How much of a disk is kept free: for the results of jobs at work, and for what ends, cancels and deletes jobs.
//!
//! Pure: whoever has a disk says how much of it is free, and when.

use std::time::{Duration, Instant};

/// What accepting jobs leaves to those that are accepted already.
const FOR_RESULTS: u64 = 64 << 20;
/// What is there when a job is begun.
const FOR_ONE_RESULT: u64 = 16 << 20;
/// What results leave to the job database.
const FOR_DATABASE: u64 = 8 << 20;

/// So much free space is not filled while it is remembered.
const PLENTY: u64 = 8 << 30;
/// How long it is.
const REMEMBERED: Duration = Duration::from_millis(250);

/// A disk, as far as it is ours to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free bytes.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

impl Room {
    /// How much is kept free of submissions: 64 MiB, on a small disk an eighth of it.
    pub fn kept_bytes(self) -> u64 {
        FOR_RESULTS.min(self.total_bytes / 8)
    }

    /// Whether pictures of so many bytes are accepted.
    pub fn accepts(self, bytes: u64) -> bool {
        self.free_bytes.saturating_sub(bytes) >= self.kept_bytes()
    }

    /// Whether a job is begun: its result is likely to find a place.
    pub fn begins(self) -> bool {
        self.free_bytes >= FOR_ONE_RESULT.min(self.total_bytes / 16)
    }

    /// Whether a result of so many more bytes is stored.
    pub fn stores(self, bytes: u64) -> bool {
        self.free_bytes.saturating_sub(bytes) >= self.database_bytes()
    }

    /// How much is kept for the job database.
    pub(crate) fn database_bytes(self) -> u64 {
        FOR_DATABASE.min(self.total_bytes / 32)
    }

    /// The disk that a file or folder is on; `None`: it does not say.
    pub(crate) fn on_disk_of(place: &std::path::Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(place).ok()?;
        Some(Self {
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        })
    }
}

/// A disk as it was seen last: asking it takes a thread that may block, and each job asks several times.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Glimpse(Option<(Instant, Room)>);

impl Glimpse {
    /// The disk was seen.
    pub(crate) fn of(room: Room, now: Instant) -> Self {
        Self(Some((now, room)))
    }

    /// The disk, where it was seen a moment ago and had plenty of room.
    pub(crate) fn still(self, now: Instant) -> Option<Room> {
        let (seen, room) = self.0?;
        let fresh = now.duration_since(seen) < REMEMBERED;
        (fresh && room.free_bytes >= PLENTY).then_some(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_asked_again_soon_and_at_once_where_it_fills_up() {
        let now = Instant::now();
        let room = |free_bytes| Room {
            free_bytes,
            total_bytes: 100 << 30,
        };
        let later = |ms| now + Duration::from_millis(ms);
        assert_eq!(Glimpse::default().still(now), None);
        let plenty = Glimpse::of(room(9 << 30), now);
        assert_eq!(plenty.still(later(249)), Some(room(9 << 30)));
        assert_eq!(plenty.still(later(250)), None);
        assert_eq!(Glimpse::of(room(7 << 30), now).still(now), None);
    }

    #[test]
    fn a_disk_that_fills_up_takes_less_and_less() {
        const MIB: u64 = 1 << 20;
        for (total, free, accepts, begins, stores) in [
            (100_000, 200, true, true, true),
            (100_000, 64, true, true, true),
            (100_000, 63, false, true, true),
            (100_000, 15, false, false, true),
            (100_000, 7, false, false, false),
            (100_000, 0, false, false, false),
            // A small disk.
            (64, 8, true, true, true),
            (64, 7, false, true, true),
            (64, 3, false, false, true),
            (64, 1, false, false, false),
        ] {
            let room = Room {
                free_bytes: free * MIB,
                total_bytes: total * MIB,
            };
            let seen = (room.accepts(0), room.begins(), room.stores(0));
            assert_eq!(seen, (accepts, begins, stores), "{free} of {total} MiB");
        }
        let room = Room {
            free_bytes: 70 * MIB,
            total_bytes: 100_000 * MIB,
        };
        assert!(room.accepts(6 * MIB) && !room.accepts(7 * MIB) && !room.accepts(u64::MAX));
        assert!(room.stores(62 * MIB) && !room.stores(63 * MIB));
    }
}
