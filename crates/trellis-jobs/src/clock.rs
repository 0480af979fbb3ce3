//! Whether the wall clock is believed: what is forgotten by its age is forgotten for ever, and clocks jump.
//!
//! Pure: what was seen last + what is seen now → what is to be remembered and whether it is believed. The monotonic
//! clock of the machine says how much time has passed since the last look, also while it was asleep; after it was
//! switched off, nothing says so, and a long pause looks like a jump.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Less than this is not a jump but a correction, or a pause.
const JUMP: SignedDuration = SignedDuration::from_hours(24);
/// So long a new time must hold before it is believed.
const HOLDS: Duration = Duration::from_secs(24 * 3600);

/// What the clocks say at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub now: Timestamp,
    /// Names the run of the machine (or, where that has no name, of this process) that `running` counts in.
    pub run: String,
    /// Time since that run began, sleep included where the system counts it.
    pub running: Duration,
}

/// What is remembered from one look to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    /// The time that is believed; goes on by the monotonic clock while the wall clock is not believed.
    time: Timestamp,
    run: String,
    running: Duration,
    #[serde(default)]
    doubt: Option<Doubt>,
}

/// A new time that is not believed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Doubt {
    /// When it began, by the new time.
    since: Timestamp,
    /// The new time at the last look.
    last: Timestamp,
    /// How long it has held.
    held: Duration,
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The time goes on as it should.
    Believed,
    /// It jumped by so much, just now.
    Jumped(SignedDuration),
    /// It jumped some time ago.
    Waiting,
    /// It jumped some time ago, and now it is believed.
    Settled,
}

impl Verdict {
    /// Whether anything may be forgotten by its age.
    pub(crate) fn believed(self) -> bool {
        matches!(self, Self::Believed | Self::Settled)
    }
}

impl Look {
    /// The first look, at a database whose newest entry is of `newest`.
    pub(crate) fn first(newest: Option<Timestamp>, at: &Moment) -> (Self, Verdict) {
        let before = Self {
            time: newest.unwrap_or(at.now),
            run: String::new(),
            running: Duration::ZERO,
            doubt: None,
        };
        before.again(at)
    }

    /// The next look.
    pub(crate) fn again(self, at: &Moment) -> (Self, Verdict) {
        let same_run = self.run == at.run;
        let passed = if same_run {
            at.running.saturating_sub(self.running)
        } else {
            Duration::ZERO
        };
        let expected = later(self.time, passed);
        let look = |time, doubt| Self {
            time,
            run: at.run.clone(),
            running: at.running,
            doubt,
        };
        if is_near(at.now, expected) {
            return (look(at.now, None), Verdict::Believed);
        }
        let doubt = self.doubt.filter(|doubt| {
            if same_run {
                is_near(at.now, later(doubt.last, passed))
            } else {
                at.now >= doubt.last
            }
        });
        let Some(doubt) = doubt else {
            let doubt = Doubt {
                since: at.now,
                last: at.now,
                held: Duration::ZERO,
            };
            let jump = at.now.duration_since(expected);
            return (look(expected, Some(doubt)), Verdict::Jumped(jump));
        };
        let held = doubt.held.saturating_add(passed);
        // After a restart of the machine, its clock alone says that the new time goes on.
        let next_day = !same_run && at.now.duration_since(doubt.since) >= JUMP;
        if held >= HOLDS || next_day {
            return (look(at.now, None), Verdict::Settled);
        }
        let doubt = Doubt {
            last: at.now,
            held,
            ..doubt
        };
        (look(expected, Some(doubt)), Verdict::Waiting)
    }

    /// Whether it says so little more than `before` that it need not be written down.
    pub(crate) fn adds_nothing_to(&self, before: &Self) -> bool {
        let recent = self.running.saturating_sub(before.running) < Duration::from_secs(3600);
        self.run == before.run && self.doubt.is_none() && before.doubt.is_none() && recent
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= JUMP
}

impl Moment {
    /// Reads the clocks.
    pub fn now() -> Self {
        let (run, running) = run();
        Self {
            now: Timestamp::now(),
            run,
            running,
        }
    }
}

/// The run of the machine and its age, where the system says them; else those of this process.
fn run() -> (String, Duration) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).ok();
    let of_machine = || {
        let boot = read("sys/kernel/random/boot_id")?;
        // In seconds, those asleep among them.
        let age = read("uptime")?.split_whitespace().next()?.parse().ok()?;
        Some((boot.trim().to_owned(), Duration::try_from_secs_f64(age).ok()?))
    };
    of_machine().unwrap_or_else(own_run)
}

/// The run of this process.
fn own_run() -> (String, Duration) {
    use std::sync::LazyLock;
    use std::time::Instant;
    static BEGUN: LazyLock<(String, Instant)> =
        LazyLock::new(|| (format!("process-{:032x}", rand::random::<u128>()), Instant::now()));
    (BEGUN.0.clone(), BEGUN.1.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours of the wall clock, the run, hours of the run.
    fn at(hours: i64, run: &str, running: u64) -> Moment {
        Moment {
            now: Timestamp::from_second(1_700_000_000 + hours * 3600).unwrap(),
            run: run.to_owned(),
            running: Duration::from_secs(running * 3600),
        }
    }

    /// What each look finds, beginning with a database whose newest entry is of hour 0.
    fn looks(moments: &[Moment]) -> Vec<Verdict> {
        let mut look: Option<Look> = None;
        let each = moments.iter().map(|moment| {
            let (next, verdict) = match look.take() {
                None => Look::first(Some(at(0, "", 0).now), moment),
                Some(look) => look.again(moment),
            };
            look = Some(next);
            verdict
        });
        each.collect()
    }

    fn jumped(hours: i64) -> Verdict {
        Verdict::Jumped(SignedDuration::from_hours(hours))
    }

    use Verdict::{Believed, Settled, Waiting};

    #[test]
    fn time_that_goes_on_is_believed_also_after_a_long_sleep() {
        let moments = [at(1, "a", 5), at(2, "a", 6), at(900, "a", 904), at(910, "b", 0)];
        assert_eq!(looks(&moments), [Believed; 4]);
    }

    #[test]
    fn a_jump_ahead_is_believed_once_it_has_held_for_a_day() {
        let ahead = 400 * 24;
        let moments = [
            at(0, "a", 0),
            at(ahead, "a", 1),
            at(ahead + 12, "a", 13),
            at(ahead + 24, "a", 25),
            at(ahead + 25, "a", 26),
        ];
        assert_eq!(
            looks(&moments),
            [Believed, jumped(ahead - 1), Waiting, Settled, Believed]
        );
    }

    #[test]
    fn a_jump_back_is_a_jump_too() {
        let moments = [
            at(0, "a", 0),
            at(-9600, "a", 1),
            at(-9590, "a", 11),
            at(12, "a", 12),
        ];
        assert_eq!(looks(&moments), [Believed, jumped(-9601), Waiting, Believed]);
    }

    #[test]
    fn a_clock_that_jumps_again_begins_again() {
        let moments = [
            at(0, "a", 0),
            at(1000, "a", 1),
            at(2000, "a", 20),
            at(2010, "a", 30),
            at(2024, "a", 44),
        ];
        assert_eq!(
            looks(&moments),
            [Believed, jumped(999), jumped(1980), Waiting, Settled]
        );
    }

    /// A dead battery: the clock starts somewhere, and the network puts it right.
    #[test]
    fn a_clock_that_is_put_right_again_is_believed_at_once() {
        let moments = [at(0, "a", 0), at(9600, "b", 0), at(3, "b", 1)];
        assert_eq!(looks(&moments), [Believed, jumped(9600), Believed]);
    }

    /// Whoever switches the machine on for an hour now and then.
    #[test]
    fn a_new_time_that_goes_on_after_the_next_restart_is_believed() {
        let moments = [at(0, "a", 0), at(100, "b", 0), at(101, "b", 1), at(200, "c", 0)];
        assert_eq!(looks(&moments), [Believed, jumped(100), Waiting, Settled]);
    }

    #[test]
    fn the_first_look_compares_with_the_newest_entry() {
        assert_eq!(looks(&[at(23, "a", 0)]), [Believed]);
        assert_eq!(looks(&[at(9600, "a", 0)]), [jumped(9600)]);
        assert_eq!(Look::first(None, &at(9600, "a", 0)).1, Believed);
    }

    #[test]
    fn the_clocks_of_this_machine_go_on() {
        let first = Moment::now();
        let second = Moment::now();
        assert_eq!(first.run, second.run);
        assert!(second.running >= first.running && !first.run.is_empty());
    }
}
