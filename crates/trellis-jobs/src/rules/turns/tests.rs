use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn waiting(number: i64, owner: &str, again: bool, turn: u64) -> Waiting {
    Waiting {
        id: JobId::new(Timestamp::UNIX_EPOCH, [0; 10]),
        number,
        owner: Owner::named(owner),
        priority: Priority::Normal,
        passed_over: 0,
        again,
        turn,
        running: 0,
    }
}

/// One of Ada's that was passed over so often.
fn of(number: i64, priority: Priority, passed_over: u32) -> Waiting {
    Waiting {
        priority,
        passed_over,
        ..waiting(number, "ada", false, 0)
    }
}

#[test]
fn owners_take_turns_and_what_waits_again_goes_first() {
    let limits = RunningLimits::from([("ada".to_owned(), 1), ("eve".to_owned(), 0)]);
    let chosen = |waiting: &[&Waiting]| {
        let waiting = waiting.iter().map(|waiting| (*waiting).clone());
        next(waiting.collect(), &limits).map(|next| next.job.number)
    };
    let (ada, bob, eve) = (
        waiting(1, "ada", false, 9),
        waiting(5, "bob", false, 4),
        waiting(7, "eve", false, 0),
    );
    assert_eq!(chosen(&[&ada, &bob, &eve]), Some(5));
    let never = waiting(8, "joe", false, 0);
    assert_eq!(chosen(&[&ada, &bob, &never]), Some(8));
    let again = [waiting(6, "ada", true, 0), waiting(4, "bob", true, 0)];
    assert_eq!(chosen(&[&bob, &again[0], &again[1]]), Some(4));
    let runs = |waiting: &Waiting, running| Waiting {
        running,
        ..waiting.clone()
    };
    let (busy, bob) = (runs(&ada, 1), runs(&bob, 7));
    assert_eq!(chosen(&[&busy, &bob]), Some(5), "ada runs as much as she may");
    assert_eq!(chosen(&[&ada, &eve]), Some(1));
    assert_eq!(chosen(&[&busy, &eve]), None);
}

#[test]
fn the_most_urgent_job_goes_first_unless_another_was_passed_over_often_enough() {
    use Priority::{High, Low, Normal};
    for (jobs, chosen, passes_over) in [
        (
            vec![of(1, Low, 0), of(2, Normal, 0), of(3, High, 0)],
            3,
            vec![1, 2],
        ),
        // Who came later is not passed over, and of one priority only the oldest is.
        (vec![of(1, High, 0), of(2, Low, 0), of(3, Normal, 0)], 1, vec![]),
        (vec![of(2, Low, 0), of(3, Low, 0), of(4, Normal, 0)], 4, vec![2]),
        (vec![of(5, Normal, 0), of(4, Normal, 0)], 4, vec![]),
        (vec![of(1, Low, 2), of(9, High, 0)], 9, vec![1]),
        (vec![of(1, Low, 3), of(9, High, 0)], 1, vec![]),
        // Of two that are overdue the older one; the other one is next.
        (vec![of(1, Low, 3), of(2, Normal, 3), of(9, High, 0)], 1, vec![]),
        (vec![of(3, Low, 0), of(2, Normal, 3), of(9, High, 0)], 2, vec![]),
        // Who is overdue passes over the others like any other.
        (vec![of(2, Low, 3), of(1, Normal, 1), of(3, High, 0)], 2, vec![1]),
    ] {
        let next = next(jobs.clone(), &RunningLimits::new()).unwrap();
        assert_eq!(
            (next.job.number, next.passes_over),
            (chosen, passes_over),
            "{jobs:?}"
        );
    }
}

#[test]
fn no_priority_takes_the_turn_of_another_owner() {
    let urgent = |number, turn| Waiting {
        priority: Priority::High,
        ..waiting(number, "ada", false, turn)
    };
    let chosen = |jobs: &[Waiting]| next(jobs.to_vec(), &RunningLimits::new()).unwrap().job.number;
    let bob = waiting(2, "bob", false, 4);
    assert_eq!(chosen(&[urgent(1, 5), bob.clone()]), 2);
    // Nobody was served yet: Bob came before Ada's urgent job and after her other one.
    let (ada, bob) = (waiting(1, "ada", false, 0), waiting(2, "bob", false, 0));
    assert_eq!(chosen(&[urgent(3, 0), bob.clone()]), 2);
    assert_eq!(chosen(&[urgent(3, 0), bob, ada]), 3);
}

/// Whoever claims, by which of the two kinds of jobs it takes.
const CLAIMERS: [&[usize]; 3] = [&[0], &[1], &[0, 1]];

#[derive(Debug, Clone, Copy)]
enum Call {
    Submit(Priority, usize),
    Claim(usize),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let priority = prop_oneof![
        1 => Just(Priority::Low),
        1 => Just(Priority::Normal),
        3 => Just(Priority::High),
    ];
    let call = prop_oneof![
        4 => (priority, 0..2usize).prop_map(|(priority, kind)| Call::Submit(priority, kind)),
        3 => (0..CLAIMERS.len()).prop_map(Call::Claim),
    ];
    prop::collection::vec(call, 0..300)
}

proptest! {
    /// Only claims by those who could take the job are counted; the others take what they take.
    #[test]
    fn every_job_is_claimed_within_four_turns_for_itself_and_each_older_one(calls in calls()) {
        let mut jobs: BTreeMap<i64, (Waiting, usize)> = BTreeMap::new();
        // Of each job the turns that it may still wait for.
        let mut left: BTreeMap<i64, u64> = BTreeMap::new();
        for (number, call) in (1..).zip(calls) {
            match call {
                Call::Submit(priority, kind) => {
                    left.insert(number, 4 * (u64::try_from(jobs.len()).unwrap() + 1));
                    jobs.insert(number, (of(number, priority, 0), kind));
                }
                Call::Claim(by) => {
                    let takes = |kind: &usize| CLAIMERS[by].contains(kind);
                    let seen = jobs.values().filter(|(_, kind)| takes(kind));
                    let seen = seen.map(|(job, _)| job.clone()).collect();
                    let Some(Next { job, passes_over }) = next(seen, &RunningLimits::new()) else { continue };
                    jobs.remove(&job.number);
                    left.remove(&job.number);
                    for number in passes_over {
                        jobs.get_mut(&number).unwrap().0.passed_over += 1;
                    }
                    for (number, (job, _)) in jobs.iter().filter(|(_, (_, kind))| takes(kind)) {
                        let left = left.get_mut(number).unwrap();
                        *left -= 1;
                        prop_assert!(*left > 0, "{job:?}");
                    }
                }
            }
        }
    }
}
