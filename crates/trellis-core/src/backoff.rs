//! How long to wait before something that failed is tried again. Pure: randomness is handed in, and nothing
//! sleeps here.

use std::time::Duration;

/// Waits that double: with `first` 1 s, `longest` 5 s and no jitter, 1 s, 2 s, 4 s, 5 s, 5 s, …
///
/// Jitter takes up to that share off a wait, so that those who failed together don't try again together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    jitter: f64,
}

impl Backoff {
    /// Without jitter. A `const` that is invalid doesn't compile.
    ///
    /// # Panics
    /// Where `first` is zero or more than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        assert!(!first.is_zero(), "a first wait of zero never grows");
        assert!(
            first.as_nanos() <= longest.as_nanos(),
            "the first wait is the shortest"
        );
        Self {
            first,
            longest,
            jitter: 0.0,
        }
    }

    /// With jitter: the largest share of a wait, 0 to 1, that is taken off.
    ///
    /// # Panics
    /// Where the share is not between 0 and 1.
    #[must_use]
    pub const fn with_jitter(self, share: f64) -> Self {
        assert!(share >= 0.0 && share <= 1.0, "jitter is a share of the wait");
        Self {
            jitter: share,
            ..self
        }
    }

    /// The wait after so many failures in a row, zero after none. `random`, 0 to 1, chooses within the jitter;
    /// 1 is the whole wait.
    pub fn wait(&self, failures: u32, random: f64) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        let chosen = if random.is_nan() {
            1.0
        } else {
            random.clamp(0.0, 1.0)
        };
        whole.mul_f64(1.0 - self.jitter * (1.0 - chosen))
    }

    /// No wait is longer.
    pub fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECONDS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits = [0, 1, 2, 3, 4, 5, 33, u32::MAX].map(|failures| SECONDS.wait(failures, 1.0).as_secs());
        assert_eq!(waits, [0, 1, 2, 4, 5, 5, 5, 5]);
    }

    #[test]
    fn jitter_takes_off_its_share_at_most() {
        let half = SECONDS.with_jitter(0.5);
        assert_eq!(half.wait(2, 0.0), Duration::from_secs(1));
        assert_eq!(half.wait(2, 0.5), Duration::from_millis(1500));
        assert_eq!(half.wait(2, 1.0), Duration::from_secs(2));
    }

    #[test]
    #[should_panic(expected = "the first wait is the shortest")]
    fn refuses_a_longest_wait_shorter_than_the_first() {
        let _ = Backoff::new(Duration::from_secs(2), Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn stays_within_its_limits(failures in 1_u32.., random in any::<f64>(), jitter in 0.0..=1.0) {
            let wait = SECONDS.with_jitter(jitter).wait(failures, random);
            prop_assert!(wait <= SECONDS.longest());
            prop_assert!(wait >= Duration::from_secs(1).mul_f64(1.0 - jitter));
        }
    }
}
