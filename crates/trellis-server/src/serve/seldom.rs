//! A line of the log that a client can cause at will, said seldom.

use std::time::Duration;

use tokio::time::Instant;

pub(super) struct Seldom {
    every: Duration,
    next: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// At most once `every` so often.
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            next: None,
            unsaid: 0,
        }
    }

    /// Whether to say it now, and then how often it was left unsaid since the last time.
    pub(super) fn due(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            self.unsaid += 1;
            return None;
        }
        self.next = Some(now + self.every);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_left_unsaid_is_counted() {
        let mut line = Seldom::new(Duration::from_secs(10));
        assert_eq!([line.due(), line.due(), line.due()], [Some(0), None, None]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!([line.due(), line.due()], [Some(2), None]);
    }
}
