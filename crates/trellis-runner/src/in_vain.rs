//! Whether a slot that found nothing asks the store again.
//!
//! A store announces what may be done, so that idle slots on many machines need not ask one database every second. An
//! announcement can be lost with the server that it came from; so they ask now and then all the same.

use std::time::Duration;

use tokio::time::Instant;
use trellis_jobs::ClaimFilter;

/// How often a slot asks for the same again.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// What was asked for last and not found, and when.
#[derive(Debug, Default)]
pub(crate) struct InVain(Option<(ClaimFilter, Instant)>);

impl InVain {
    /// Whether there may be something now.
    pub(crate) fn asks_again(&self, filter: &ClaimFilter, now: Instant) -> bool {
        let Some((before, at)) = &self.0 else {
            return true;
        };
        // The end of a job of an owner with a limit is not announced to those who wait for more of its jobs.
        before != filter || !filter.running_limits.is_empty() || now.duration_since(*at) >= ASK_EVERY
    }

    /// There was nothing.
    pub(crate) fn note(&mut self, filter: ClaimFilter, now: Instant) {
        self.0 = Some((filter, now));
    }

    /// Something was announced or found, or it may not work.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use trellis_core::BackendChoice;

    use super::*;

    #[test]
    fn an_idle_slot_asks_for_the_same_again_after_a_while_or_once_something_was_announced() {
        let filter = ClaimFilter::of([BackendChoice::Relief]);
        let begun = Instant::now();
        let later = |seconds| begun + Duration::from_secs(seconds);
        let mut in_vain = InVain::default();
        assert!(in_vain.asks_again(&filter, begun));
        in_vain.note(filter.clone(), begun);
        assert!(!in_vain.asks_again(&filter, later(1)) && !in_vain.asks_again(&filter, later(4)));
        assert!(in_vain.asks_again(&filter, later(5)));
        let other = ClaimFilter::of([BackendChoice::Trellis]);
        assert!(in_vain.asks_again(&other, later(1)));
        in_vain.forget();
        assert!(in_vain.asks_again(&filter, later(1)));
    }

    #[test]
    fn where_owners_have_limits_it_asks_each_time() {
        let filter = ClaimFilter {
            running_limits: Arc::new([("ada".to_owned(), 1)].into()),
            ..ClaimFilter::of([BackendChoice::Relief])
        };
        let mut in_vain = InVain::default();
        in_vain.note(filter.clone(), Instant::now());
        assert!(in_vain.asks_again(&filter, Instant::now()));
    }
}
