//! Which clock counts.
//!
//! The servers' clocks differ, and a lease that one of them grants is judged by others: all of them go by the database's.
//! What callers say of points in time that lie ahead, such as when a delivery is due again, is moved by the difference
//! between the two clocks as it was last seen.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Which clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The database's.
    #[default]
    Database,
    /// Whatever the callers say, for tests that need no clock.
    Callers,
}

/// How far the database's clock is ahead of this machine's.
#[derive(Debug, Default)]
pub(crate) struct Ahead(AtomicI64);

impl Ahead {
    /// Notes what both clocks say.
    pub(crate) fn note(&self, database: Timestamp, here: Timestamp) {
        let micros = database.as_microsecond().saturating_sub(here.as_microsecond());
        self.0.store(micros, Ordering::Relaxed);
    }

    /// A time of this machine as the database has it.
    pub(crate) fn there(&self, here: Timestamp) -> Timestamp {
        moved(here, self.0.load(Ordering::Relaxed))
    }

    /// A time of the database as this machine has it.
    pub(crate) fn here(&self, there: Timestamp) -> Timestamp {
        moved(there, self.0.load(Ordering::Relaxed).saturating_neg())
    }
}

fn moved(time: Timestamp, micros: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_micros(micros))
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moved_by_the_difference_between_the_clocks() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let ahead = Ahead::default();
        assert_eq!(ahead.there(at(7)), at(7));
        ahead.note(at(1_000), at(700));
        assert_eq!(
            (ahead.there(at(800)), ahead.here(at(1_100))),
            (at(1_100), at(800))
        );
    }
}
