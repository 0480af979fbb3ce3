//! When to give a worker up: one deadline for silence, one for what it is doing. Pure, times are handed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::cause::{Cause, Doing};
use crate::limits::Limits;

/// The clocks of one process.
#[derive(Debug)]
pub(crate) struct Clocks {
    heard: Instant,
    doing: Option<(Doing, Instant)>,
    cancelled: Option<Instant>,
}

impl Clocks {
    /// Those of a process that was started now.
    pub(crate) fn started(now: Instant) -> Self {
        Self {
            heard: now,
            doing: Some((Doing::Start, now)),
            cancelled: None,
        }
    }

    /// It said something.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// It got on with something.
    pub(crate) fn progress(&mut self, doing: Doing, now: Instant) {
        self.heard = now;
        self.doing = Some((doing, now));
    }

    /// It was asked to stop its job.
    pub(crate) fn cancelled(&mut self, now: Instant) {
        self.cancelled.get_or_insert(now);
    }

    /// It has nothing to do.
    pub(crate) fn idle(&mut self, now: Instant) {
        self.heard = now;
        self.doing = None;
        self.cancelled = None;
    }

    /// The next moment at which it is given up if nothing is heard, and the cause.
    pub(crate) fn deadline(&self, limits: &Limits) -> (Instant, Cause) {
        let mut found: Option<(Instant, Cause)> = None;
        let mut offer = |at: Instant, cause: Cause| {
            if found.as_ref().is_none_or(|(earliest, _)| at < *earliest) {
                found = Some((at, cause));
            }
        };
        if let Some((doing, since)) = self.doing {
            let limit = stall(limits, doing);
            offer(since + limit, Cause::Stalled { doing, limit });
        }
        if let Some(since) = self.cancelled {
            offer(
                since + limits.cancel,
                Cause::DidNotCancel { grace: limits.cancel },
            );
        }
        if !matches!(self.doing, Some((doing, _)) if may_be_silent(doing)) {
            offer(
                self.heard + limits.silence,
                Cause::Silent {
                    silent: limits.silence,
                },
            );
        }
        found.unwrap_or((
            self.heard + limits.silence,
            Cause::Silent {
                silent: limits.silence,
            },
        ))
    }
}

fn stall(limits: &Limits, doing: Doing) -> Duration {
    match doing {
        Doing::Start => limits.start,
        Doing::Load => limits.load,
        Doing::Stage(stage) => limits.stall(stage),
    }
}

/// Importing and loading hold Python's lock for long as well.
fn may_be_silent(doing: Doing) -> bool {
    match doing {
        Doing::Start | Doing::Load => true,
        Doing::Stage(stage) => Limits::may_be_silent(stage),
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::Stage;

    use super::*;

    fn after(from: Instant, clocks: &Clocks) -> (u64, Cause) {
        let (at, cause) = clocks.deadline(&Limits::default());
        ((at - from).as_secs(), cause)
    }

    #[test]
    fn the_nearest_deadline_is_named() {
        let now = Instant::now();
        let later = now + Duration::from_secs(10);
        let mut clocks = Clocks::started(now);
        assert_eq!(
            after(now, &clocks),
            (
                180,
                Cause::Stalled {
                    doing: Doing::Start,
                    limit: Duration::from_secs(180)
                }
            )
        );
        clocks.progress(Doing::Stage(Stage::Decode), now);
        assert_eq!(after(now, &clocks).0, 30, "a silent worker is given up first");
        clocks.progress(Doing::Stage(Stage::Simplify), now);
        assert_eq!(after(now, &clocks).0, 600, "mesh libraries keep Python's lock");
        clocks.cancelled(later);
        clocks.cancelled(later + Duration::from_secs(5));
        assert_eq!(
            after(later, &clocks),
            (
                20,
                Cause::DidNotCancel {
                    grace: Duration::from_secs(20)
                }
            )
        );
        clocks.idle(later);
        assert_eq!(
            after(later, &clocks),
            (
                30,
                Cause::Silent {
                    silent: Duration::from_secs(30)
                }
            )
        );
        clocks.heard(later + Duration::from_secs(7));
        assert_eq!(after(later, &clocks).0, 37);
    }
}
