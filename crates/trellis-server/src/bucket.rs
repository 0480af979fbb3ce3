//! A bucket of things that may be done at once and fills again over time.

use std::time::{Duration, Instant};

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// One is added in this time.
    pub(crate) every: Duration,
    /// So many are in a full one; 1 at least.
    pub(crate) burst: u32,
}

/// What was taken, as the time at which it will have filled again: one number, and nothing runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket(Instant);

impl Bucket {
    /// A full one.
    pub(crate) fn full(now: Instant) -> Self {
        Self(now)
    }

    /// How long until there is one to take; zero: it is there.
    pub(crate) fn wait(&self, rate: Rate, now: Instant) -> Duration {
        let rest = rate.every * rate.burst.saturating_sub(1);
        self.0.saturating_duration_since(now + rest)
    }

    /// Takes one, there or not.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) {
        self.0 = self.0.max(now) + rate.every;
    }
}
