//! What owners have of each other: turns, limits of their own, and who sees everything.

#![expect(missing_docs, reason = "the names say what is tested")]

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use trellis_core::{AssetName, BackendChoice, Demand, JobId, JobState, Model, ParamsPatch};

use super::Fixture;
use super::kit::{LEASE, at, claim, every_choice, file, new_job, outcome, worker};
use crate::rules::Command;
use crate::{ClaimFilter, JobQuery, JobStore, NewJob, Owner, Rights, StoreError};

fn owned(n: u32, owner: &Owner) -> NewJob {
    NewJob {
        owner: owner.clone(),
        ..new_job(n)
    }
}

fn of(n: u32, owner: &str) -> NewJob {
    owned(n, &Owner::named(owner))
}

async fn claimed(store: &dyn JobStore, filter: &ClaimFilter) -> Option<JobId> {
    let claimed = store.claim(&worker("a"), filter, at(900), LEASE).await.unwrap();
    claimed.map(|claim| claim.lease.job)
}

/// Ada has eight jobs waiting when Bob and Eve come with one and two.
pub async fn owners_take_turns_whatever_each_of_them_submitted<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for n in 1..=8 {
        store.submit(of(n, "ada")).await.unwrap();
    }
    assert_eq!(claimed(&*store, &every_choice()).await, Some(new_job(1).id));
    for (n, owner) in [(11, "bob"), (12, "eve"), (13, "eve")] {
        store.submit(of(n, owner)).await.unwrap();
    }
    // Whoever opens the store next goes on in the same order.
    let store = place.opened_again().await;
    for n in [11, 12, 2, 13, 3, 4] {
        assert_eq!(
            claimed(&*store, &every_choice()).await,
            Some(new_job(n).id),
            "{n}"
        );
    }
}

/// What the jobs of one backend do to the turns is nothing to those of another; and what was begun before goes on first.
pub async fn each_queue_has_turns_of_its_own_and_a_job_that_waits_again_goes_first<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, owner, backend) in [
        (1, "ada", BackendChoice::Relief),
        (2, "bob", BackendChoice::Relief),
        (3, "ada", BackendChoice::Trellis),
        (4, "bob", BackendChoice::Relief),
        (5, "ada", BackendChoice::Relief),
    ] {
        let new = NewJob {
            backend,
            ..of(n, owner)
        };
        store.submit(new).await.unwrap();
    }
    let (relief, trellis) = (
        ClaimFilter::of(vec![BackendChoice::Relief]),
        ClaimFilter::of(vec![BackendChoice::Trellis]),
    );
    for (n, filter) in [(1, &relief), (3, &trellis), (2, &relief), (5, &relief)] {
        assert_eq!(claimed(&*store, filter).await, Some(new_job(n).id), "{n}");
    }
    // The server died: all of them wait again, and none of the others is begun before.
    store.recover(at(901), 3, Some(&worker("a"))).await.unwrap();
    for (n, filter) in [
        (1, &relief),
        (2, &relief),
        (5, &relief),
        (4, &relief),
        (3, &trellis),
    ] {
        assert_eq!(claimed(&*store, filter).await, Some(new_job(n).id), "{n}");
    }
}

/// Jobs for two models wait in one queue, and whoever runs one of them passes over those of the other.
pub async fn jobs_of_two_models_are_claimed_by_what_runs_them<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let of_model = |n, model| NewJob {
        params: ParamsPatch::default().or_model(model).resolve(n).unwrap(),
        ..new_job(n)
    };
    for (n, model) in [
        (1, Model::Trellis2),
        (2, Model::TrellisImageLarge),
        (3, Model::TrellisImageLarge),
        (4, Model::Trellis2),
    ] {
        store.submit(of_model(n, model)).await.unwrap();
    }
    let auto = |model| ClaimFilter::of([Demand::new(BackendChoice::Auto, model)]);
    let (first, second) = (auto(Model::TrellisImageLarge), auto(Model::Trellis2));
    assert_eq!(
        store.without_preview(&second, 9).await.unwrap(),
        [new_job(1).id, new_job(4).id]
    );
    for (n, filter) in [(2, &first), (1, &second), (4, &second), (3, &first)] {
        assert_eq!(claimed(&*store, filter).await, Some(new_job(n).id), "{n}");
        let job = store.get(new_job(n).id).await.unwrap();
        assert_eq!(job.backend, BackendChoice::Auto);
        assert_eq!(ClaimFilter::of([job.demand()]), *filter);
    }
    assert_eq!(claimed(&*store, &every_choice()).await, None);
}

pub async fn an_owner_with_as_many_running_jobs_as_it_may_have_is_passed_over<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, owner) in [(1, "ada"), (2, "ada"), (3, "ada"), (4, "bob")] {
        store.submit(of(n, owner)).await.unwrap();
    }
    let at_most = |limit| ClaimFilter {
        running_limits: Arc::new([("ada".to_owned(), limit)].into()),
        ..every_choice()
    };
    assert_eq!(claimed(&*store, &at_most(0)).await, Some(new_job(4).id));
    let first = store
        .claim(&worker("a"), &at_most(1), at(5), LEASE)
        .await
        .unwrap();
    let first = first.unwrap();
    assert_eq!(first.lease.job, new_job(1).id);
    assert_eq!(claimed(&*store, &at_most(1)).await, None, "ada's second waits");
    assert_eq!(store.get(new_job(2).id).await.unwrap().state, JobState::Queued);
    assert_eq!(claimed(&*store, &at_most(2)).await, Some(new_job(2).id));
    store.succeed(&first.lease, at(6), outcome(&first)).await.unwrap();
    assert_eq!(claimed(&*store, &at_most(2)).await, Some(new_job(3).id));
}

/// A job of the kit has a picture of 9 bytes, a preview or a result of 4.
pub async fn an_owner_s_limits_count_what_waits_and_what_is_kept<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let ada = |queued, kept_bytes| {
        Owner::named("ada").with(Rights {
            queued,
            kept_bytes,
            ..Rights::default()
        })
    };
    store.submit(of(1, "bob")).await.unwrap();
    store.submit(owned(2, &ada(Some(1), None))).await.unwrap();
    let refused = store.submit(owned(3, &ada(Some(1), None))).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::OwnQueueFull { queued: 1, limit: 1 }),
        "{refused:?}"
    );
    // What runs does not wait.
    let bob = claim(&*store, "a", 4).await.unwrap();
    let running = claim(&*store, "a", 4).await.unwrap();
    assert_eq!((bob.lease.job, running.lease.job), (new_job(1).id, new_job(2).id));
    store.submit(owned(4, &ada(Some(1), Some(18)))).await.unwrap();
    for (done, kept) in [("with two pictures", 18), ("with a preview", 22)] {
        let full = store
            .submit(owned(5, &ada(None, Some(kept + 8))))
            .await
            .unwrap_err();
        assert!(
            matches!(full, StoreError::OwnStorageFull { kept_bytes, .. } if kept_bytes == kept),
            "{done}: {full:?}"
        );
        let preview = file(new_job(2).id, 0, true);
        store.preview(new_job(2).id, at(5), preview).await.unwrap();
    }
    store
        .succeed(&running.lease, at(6), outcome(&running))
        .await
        .unwrap();
    // The result took the place of the preview.
    let full = store.submit(owned(5, &ada(None, Some(30)))).await.unwrap_err();
    assert!(
        matches!(full, StoreError::OwnStorageFull { kept_bytes: 22, .. }),
        "{full:?}"
    );
    store.apply(new_job(2).id, at(7), Command::Delete).await.unwrap();
    store.submit(owned(5, &ada(None, Some(18)))).await.unwrap();
}

pub async fn who_sees_all_jobs_lists_them_with_their_owners_and_may_end_them<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    for (n, owner) in [(1, "ada"), (2, ""), (3, "bob")] {
        let name = Some(AssetName::from("A chair".to_owned()));
        let new = NewJob { name, ..of(n, owner) };
        store.submit(new).await.unwrap();
    }
    let admin = Owner::named("eve").with(Rights {
        sees_all: true,
        ..Rights::default()
    });
    let listed = |owner: &Owner, state, name: Option<&str>| {
        let query = JobQuery {
            owner: owner.clone(),
            state,
            name: name.map(str::to_owned),
            limit: 9,
            before: None,
        };
        let store = &store;
        async move {
            let jobs = store.list(query).await.unwrap().jobs;
            let owners = jobs.into_iter().map(|job| (job.id, job.owner));
            owners.collect::<Vec<_>>()
        }
    };
    let all = [
        (new_job(3).id, Some("bob".to_owned())),
        (new_job(2).id, None),
        (new_job(1).id, Some("ada".to_owned())),
    ];
    assert_eq!(listed(&admin, None, None).await, all);
    assert_eq!(listed(&admin, Some(JobState::Queued), None).await, all);
    assert_eq!(listed(&admin, None, Some("chair")).await, all, "by name");
    let ada = Owner::named("ada");
    assert_eq!(
        listed(&ada, None, None).await,
        [(new_job(2).id, None), (new_job(1).id, None)],
        "it is not told whose jobs are whose"
    );
    let cancel = Command::Cancel { by: admin };
    store.apply(new_job(3).id, at(9), cancel).await.unwrap();
    let found = store.find(new_job(3).id).await.unwrap();
    assert_eq!(
        (found.job.state, found.owner),
        (JobState::Cancelled, Owner::named("bob"))
    );
}

/// Random submissions and claims: between two claims of an owner who has jobs waiting, each other owner is served once
/// at most.
pub async fn no_owner_waits_for_more_claims_than_there_are_owners<F: Fixture>() {
    const OWNERS: usize = 5;
    // A number below OWNERS submits a job of that owner; more often than not it is the first.
    let call = prop_oneof![3 => Just(0), 2 => 1..OWNERS, 4 => Just(OWNERS)];
    let mut runner = TestRunner::deterministic();
    for _ in 0..8 {
        let calls = prop::collection::vec(call.clone(), 80)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let place = F::new().await;
        let store = place.store();
        let mut owners = std::collections::BTreeMap::new();
        let (mut waiting, mut passed) = ([0; OWNERS], [0; OWNERS]);
        for (n, call) in (1..).zip(calls) {
            if call < OWNERS {
                let new = of(n, &format!("owner-{call}"));
                owners.insert(new.id, call);
                store.submit(new).await.unwrap();
                waiting[call] += 1;
                continue;
            }
            let Some(job) = claimed(&*store, &every_choice()).await else {
                assert_eq!(waiting, [0; OWNERS]);
                continue;
            };
            let served = owners[&job];
            waiting[served] -= 1;
            for owner in 0..OWNERS {
                let was_passed = owner != served && waiting[owner] > 0;
                passed[owner] = if was_passed { passed[owner] + 1 } else { 0 };
                assert!(passed[owner] < OWNERS, "{owner} was passed over {passed:?}");
            }
        }
    }
}
