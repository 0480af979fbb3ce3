//! How long jobs waited.

use std::fmt;
use std::time::Duration;

/// Of the waits of some jobs: one in two, nine in ten and 99 in a hundred are no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// The median.
    pub p50: Duration,
    /// Nine in ten.
    pub p90: Duration,
    /// 99 in a hundred.
    pub p99: Duration,
    /// The mean.
    pub mean: Duration,
}

impl Waits {
    /// `None`: there are none.
    pub fn of(mut waits: Vec<Duration>) -> Option<Self> {
        waits.sort_unstable();
        let count = u32::try_from(waits.len()).ok().filter(|&count| count > 0)?;
        // By rank: the least wait that so many percent do not exceed.
        let rank = |percent: usize| waits[(waits.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            mean: waits.iter().sum::<Duration>() / count,
        })
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99] = [self.p50, self.p90, self.p99].map(|wait| wait.as_secs_f64());
        write!(f, "{p50:.1}, {p90:.1}, {p99:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_rank_and_of_none_there_are_none() {
        let seconds = |all: &[u64]| Waits::of(all.iter().copied().map(Duration::from_secs).collect());
        assert_eq!(seconds(&[]), None);
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let waits = seconds(&hundred).unwrap();
        let found = [waits.p50, waits.p90, waits.p99].map(|wait| wait.as_secs());
        assert_eq!((found, waits.mean), ([50, 90, 99], Duration::from_millis(50_500)));
        assert_eq!(seconds(&[7]).unwrap().p50, Duration::from_secs(7));
    }
}
