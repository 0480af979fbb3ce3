//! A table of every state with every event, and random lives of a worker.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn job(number: u8) -> JobId {
    format!("01890a5d-ac96-774b-bcce-b302099a80{number:02x}")
        .parse()
        .unwrap()
}

fn states() -> Vec<State> {
    vec![
        State::Stopped,
        State::Starting { failures: 1 },
        State::Loading { failures: 1 },
        State::Ready,
        State::Busy(job(1)),
        State::Draining {
            job: job(1),
            replace: true,
        },
        State::Draining {
            job: job(1),
            replace: false,
        },
        State::Failed { failures: 1 },
    ]
}

fn events() -> Vec<Event> {
    vec![
        Event::Start,
        Event::Hello,
        Event::Loaded,
        Event::Assigned(job(2)),
        Event::Cancel,
        Event::Ended {
            job: job(1),
            replace: false,
        },
        Event::Ended {
            job: job(1),
            replace: true,
        },
        Event::Ended {
            job: job(9),
            replace: false,
        },
        Event::Lost(Cause::Closed),
        Event::WaitOver,
        Event::Restart,
        Event::Drain,
    ]
}

/// Job ids shortened to their last digit.
fn short(value: &impl std::fmt::Debug) -> String {
    let mut text = format!("{value:?}");
    for number in [1, 2, 9] {
        text = text.replace(&format!("JobId({})", job(number)), &format!("job{number}"));
    }
    text
}

#[test]
fn table() {
    let mut table = String::new();
    for state in states() {
        writeln!(table, "{}", short(&state)).unwrap();
        for event in events() {
            let (after, actions) = step(state.clone(), event.clone());
            writeln!(
                table,
                "  {:<38} {:<38} {}",
                short(&event),
                short(&after),
                short(&actions)
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

/// An event as it may come: jobs are assigned under new names, and the worker may name any job.
fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => Just(Event::Start),
        4 => Just(Event::Hello),
        4 => Just(Event::Loaded),
        4 => any::<u8>().prop_map(|number| Event::Assigned(job(number))),
        1 => Just(Event::Cancel),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(number, replace)| Event::Ended { job: job(number), replace }),
        1 => Just(Event::Lost(Cause::Closed)),
        2 => Just(Event::WaitOver),
        1 => Just(Event::Restart),
        1 => Just(Event::Drain),
    ]
}

proptest! {
    #[test]
    fn a_claimed_job_always_ends_handed_back_or_finished(
        events in prop::collection::vec(any_event(), 0..60),
        honest in any::<bool>(),
    ) {
        let mut state = State::Stopped;
        let mut held: Option<JobId> = None;
        for mut event in events {
            if let (Event::Ended { job, .. }, Some(current), true) = (&mut event, state.job(), honest) {
                *job = current;
            }
            let assigned = if let Event::Assigned(job) = event { Some(job) } else { None };
            if assigned.is_some() && assigned == held {
                continue; // a queue gives a job out once
            }
            let (after, actions) = step(state, event);
            let mut open: Vec<JobId> = held.into_iter().chain(assigned).collect();
            for action in &actions {
                if let Action::Finish(job) | Action::HandBack(job, _) = action {
                    let before = open.len();
                    open.retain(|one| one != job);
                    prop_assert_eq!(open.len() + 1, before, "a job ends once");
                }
            }
            prop_assert!(open.len() <= 1, "two jobs are held");
            held = open.pop();
            prop_assert_eq!(after.job(), held, "what is held and what the state says differ");
            state = after;
        }
        let (_, actions) = step(state, Event::Lost(Cause::Closed));
        let back: Vec<JobId> = actions.iter().filter_map(|action| match action {
            Action::HandBack(job, _) => Some(*job),
            _ => None,
        }).collect();
        prop_assert_eq!(back, held.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn there_is_a_process_exactly_where_the_state_says_so(events in prop::collection::vec(any_event(), 0..60)) {
        let mut state = State::Stopped;
        let mut process = false;
        for event in events {
            let (after, actions) = step(state, event);
            for action in actions {
                match action {
                    Action::Spawn => {
                        prop_assert!(!process, "a second process is started");
                        process = true;
                    }
                    Action::Kill | Action::Shutdown => process = false,
                    Action::Load | Action::Generate(_) | Action::Cancel(_) => prop_assert!(process),
                    Action::Finish(_) | Action::HandBack(..) | Action::Wait { .. } => {}
                }
            }
            prop_assert_eq!(process, after.has_process());
            state = after;
        }
    }
}
