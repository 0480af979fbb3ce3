//! Priorities: which of an owner's jobs is claimed first, and that none waits for ever.

#![expect(missing_docs, reason = "the names say what is tested")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use trellis_core::{JobId, Priority};

use super::Fixture;
use super::kit::{LEASE, at, every_choice, new_job, worker};
use crate::{JobStore, NewJob, Owner};

use Priority::{High, Low, Normal};

fn of(n: u32, owner: &str, priority: Priority) -> NewJob {
    NewJob {
        owner: Owner::named(owner),
        priority,
        ..new_job(n)
    }
}

async fn claimed(store: &dyn JobStore) -> Option<JobId> {
    let claimed = store.claim(&worker("a"), &every_choice(), at(900), LEASE).await;
    claimed.unwrap().map(|claim| claim.lease.job)
}

async fn claims(store: &dyn JobStore, order: &[u32]) {
    for n in order {
        assert_eq!(claimed(store).await, Some(new_job(*n).id), "{n}");
    }
}

pub async fn a_job_keeps_its_priority<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, priority) in (1..).zip(Priority::ALL) {
        let submitted = store.submit(of(n, "ada", priority)).await.unwrap();
        assert_eq!(submitted.job.priority, priority);
    }
    claims(&*store, &[3]).await;
    store.recover(at(901), 3, Some(&worker("a"))).await.unwrap();
    let store = place.opened_again().await;
    for (n, priority) in (1..).zip(Priority::ALL) {
        assert_eq!(store.get(new_job(n).id).await.unwrap().priority, priority);
    }
}

pub async fn the_more_urgent_job_of_an_owner_goes_first_and_the_older_of_two_alike<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, priority) in (1..).zip([Low, Normal, High, Normal, High, Low]) {
        store.submit(of(n, "", priority)).await.unwrap();
    }
    claims(&*store, &[3, 5, 2]).await;
    // One that was begun before is still first.
    let begun = store
        .claim(&worker("b"), &every_choice(), at(900), LEASE)
        .await
        .unwrap();
    let begun = begun.unwrap().lease;
    assert_eq!(begun.job, new_job(1).id, "it was passed over three times");
    store.submit(of(7, "", High)).await.unwrap();
    store.release(&begun, at(901)).await.unwrap();
    claims(&*store, &[1, 7, 4, 6]).await;
    assert_eq!(claimed(&*store).await, None);
}

/// Ada's urgent jobs wait for Bob's turns and for those of Eve, whose jobs are not urgent at all.
pub async fn owners_take_turns_whatever_the_priorities_of_their_jobs<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, owner, priority) in [
        (1, "ada", Normal),
        (2, "ada", High),
        (3, "ada", High),
        (4, "bob", Normal),
        (5, "eve", Low),
        (6, "ada", High),
        (7, "eve", Low),
    ] {
        store.submit(of(n, owner, priority)).await.unwrap();
    }
    claims(&*store, &[2, 4, 5, 3, 7, 6, 1]).await;
}

/// What was counted is known to whoever opens the store next.
pub async fn a_job_that_was_passed_over_three_times_goes_next<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    store.submit(of(1, "ada", Low)).await.unwrap();
    store.submit(of(2, "ada", Normal)).await.unwrap();
    store.submit(of(3, "ada", Low)).await.unwrap();
    for n in 10..20 {
        store.submit(of(n, "ada", High)).await.unwrap();
    }
    claims(&*store, &[10, 11]).await;
    let store = place.opened_again().await;
    claims(&*store, &[12, 1, 2, 13, 14, 15, 3, 16, 17, 18, 19]).await;
    assert_eq!(claimed(&*store).await, None);
}

/// Random submissions and claims: whatever comes later, a job is claimed within four turns of its owner for itself and
/// each of its owner's that waited before it; and between two of those turns each other owner has one at most.
pub async fn every_job_is_claimed_within_a_bound<F: Fixture>() {
    const OWNERS: usize = 3;
    let priority = prop_oneof![1 => Just(Low), 1 => Just(Normal), 4 => Just(High)];
    let submit = (0..OWNERS, priority).prop_map(Some);
    let call = prop_oneof![5 => submit, 4 => Just(None)];
    let mut runner = TestRunner::deterministic();
    for _ in 0..4 {
        let calls = prop::collection::vec(call.clone(), 120)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let place = F::new().await;
        let store = place.store();
        // Of each job its owner, and the turns that it may still wait for.
        let mut waiting: BTreeMap<JobId, (usize, usize)> = BTreeMap::new();
        let mut passed = [0; OWNERS];
        // In the end all are claimed.
        let rest = std::iter::repeat_n(None, calls.len());
        for (n, call) in (1..).zip(calls.into_iter().chain(rest)) {
            if let Some((owner, priority)) = call {
                let new = of(n, &format!("owner-{owner}"), priority);
                let before = waiting.values().filter(|(other, _)| *other == owner).count();
                waiting.insert(new.id, (owner, 4 * (before + 1)));
                store.submit(new).await.unwrap();
                continue;
            }
            let Some(job) = claimed(&*store).await else {
                assert_eq!(waiting, BTreeMap::new());
                continue;
            };
            let (served, _) = waiting.remove(&job).unwrap();
            for (owner, turns) in waiting.values_mut().filter(|(owner, _)| *owner == served) {
                *turns -= 1;
                assert!(*turns > 0, "a job of {owner} waits too long");
            }
            for (owner, passed) in passed.iter_mut().enumerate() {
                let waits = waiting.values().any(|(other, _)| *other == owner);
                *passed = if owner != served && waits { *passed + 1 } else { 0 };
                assert!(*passed < OWNERS, "{owner} was passed over");
            }
        }
        assert_eq!(waiting, BTreeMap::new());
    }
}
