//! An answer that costs something, kept for a moment for everybody who asks.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// `ask`, whose answers are given again for `moment`. Those who ask meanwhile wait for the one that asks already.
pub(crate) fn kept_for<T: Clone>(moment: Duration, ask: impl Fn() -> T) -> impl Fn() -> T {
    let last: Mutex<Option<(Instant, T)>> = Mutex::new(None);
    move || {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = &*last
            && at.elapsed() < moment
        {
            return answer.clone();
        }
        let answer = ask();
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_answer_is_given_again_for_a_moment() {
        for (moment, asked) in [(Duration::from_secs(3600), 1), (Duration::ZERO, 3)] {
            let calls = Cell::new(0);
            let ask = kept_for(moment, || calls.replace(calls.get() + 1));
            for _ in 0..3 {
                ask();
            }
            assert_eq!(calls.get(), asked);
        }
    }
}
