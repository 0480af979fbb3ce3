//! Claims by need: whoever claims takes only what it can do, and all of that.

#![expect(missing_docs, reason = "the names say what is tested")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use trellis_core::{Failure, FailureKind, Format, JobId, JobState, Sha256};

use super::Fixture;
use super::kit::{LEASE, at, every_choice, new_job, worker};
use crate::rules::Command;
use crate::{Ability, ClaimFilter, JobStore, Needs, NewJob, Owner, StoreError, WaitingKind};

fn needing(n: u32, owner: &str, needs: Needs) -> NewJob {
    NewJob {
        owner: Owner::named(owner),
        needs,
        ..new_job(n)
    }
}

async fn claimed(store: &dyn JobStore, ability: &Ability) -> Option<JobId> {
    let filter = ClaimFilter {
        ability: ability.clone(),
        ..every_choice()
    };
    let claim = store
        .claim(&worker("a"), &filter, at(900), LEASE)
        .await
        .unwrap()?;
    Some(claim.lease.job)
}

fn closure(name: &str) -> Needs {
    Needs {
        closure: Some(name.to_owned()),
        ..Needs::default()
    }
}

fn decoded_by(name: &str) -> Needs {
    Needs {
        decoder: Some(Sha256::of(name)),
        ..Needs::default()
    }
}

pub async fn a_job_is_left_to_whoever_has_what_it_needs<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let vram = |gib: u64| Needs {
        vram_bytes: gib << 30,
        ..Needs::default()
    };
    let stl = Needs {
        formats: vec![Format::Stl],
        ..Needs::default()
    };
    let mesh = Needs {
        mesh: true,
        ..Needs::default()
    };
    for (n, needs) in [
        (1, vram(24)),
        (2, closure("b")),
        (3, stl),
        (4, vram(8)),
        (5, Needs::default()),
        (6, decoded_by("b")),
        (7, decoded_by("a")),
        (8, mesh),
    ] {
        store.submit(needing(n, "ada", needs)).await.unwrap();
    }
    let small = Ability {
        formats: Some(vec![Format::Glb]),
        vram_bytes: Some(16 << 30),
        closures: Some(vec!["a".to_owned()]),
        decoders: Some(vec![Sha256::of("a")]),
        meshes: Some(false),
    };
    let store = place.opened_again().await;
    for n in [4, 5, 7] {
        assert_eq!(claimed(&*store, &small).await, Some(new_job(n).id), "{n}");
    }
    assert_eq!(claimed(&*store, &small).await, None);
    for n in [1, 2, 3, 6] {
        assert_eq!(
            claimed(&*store, &Ability::default()).await,
            Some(new_job(n).id),
            "{n}"
        );
    }
}

/// One that was begun before waits first for those who can go on with it, and keeps nobody else waiting.
pub async fn a_job_that_waits_again_still_needs_what_it_needed<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    store.submit(needing(1, "ada", closure("a"))).await.unwrap();
    store.submit(needing(2, "ada", Needs::default())).await.unwrap();
    let only = |name: &str| Ability {
        closures: Some(vec![name.to_owned()]),
        ..Ability::default()
    };
    let filter = ClaimFilter {
        ability: only("a"),
        ..every_choice()
    };
    let first = store
        .claim(&worker("a"), &filter, at(10), LEASE)
        .await
        .unwrap()
        .unwrap();
    store.release(&first.lease, at(11)).await.unwrap();
    assert_eq!(claimed(&*store, &only("b")).await, Some(new_job(2).id));
    assert_eq!(claimed(&*store, &only("b")).await, None);
    assert_eq!(claimed(&*store, &only("a")).await, Some(first.lease.job));
}

pub async fn jobs_that_wait_are_found_by_their_kind_and_given_up<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let kind = |job: &NewJob| WaitingKind {
        demand: job.demand().to_string(),
        needs: job.needs.to_text(),
    };
    let jobs: Vec<NewJob> = [(1, "a"), (2, "b"), (3, "a"), (4, "a")]
        .map(|(n, name)| needing(n, "ada", closure(name)))
        .into();
    for job in &jobs {
        store.submit(job.clone()).await.unwrap();
    }
    let [first, other, third, last] = &jobs[..] else {
        unreachable!("there are four")
    };
    assert_eq!(store.waiting().await.unwrap(), [kind(first), kind(other)]);
    let of = |before, limit| {
        let (store, kind) = (store.clone(), kind(first));
        async move { store.waiting_of(&kind, before, limit).await.unwrap() }
    };
    let all = [first.id, third.id, last.id];
    assert_eq!(of(at(900), 10).await, all);
    assert_eq!(of(at(900), 2).await, all[..2]);
    assert!(
        of(first.now, 10).await.is_empty(),
        "accepted at that time, not before"
    );
    let mut found = store
        .waits_as(&[other.id, new_job(9).id, third.id])
        .await
        .unwrap();
    found.sort();
    assert_eq!(found, [(other.id, kind(other)), (third.id, kind(first))]);
    assert_eq!(store.waits_as(&[]).await.unwrap(), []);

    let failure = Failure::new(FailureKind::NoServer, "nobody has `a`");
    let no_longer = || Command::GiveUp {
        failure: failure.clone(),
    };
    store.apply(first.id, at(901), no_longer()).await.unwrap();
    let given_up = store.get(first.id).await.unwrap();
    assert_eq!((given_up.state, given_up.attempt), (JobState::Failed, 0));
    assert_eq!(given_up.failure, Some(failure.clone()));
    // Somebody can do it after all, or it ended already.
    let store = place.opened_again().await;
    assert_eq!(claimed(&*store, &Ability::default()).await, Some(other.id));
    for id in [other.id, first.id] {
        let refused = store.apply(id, at(902), no_longer()).await;
        assert!(
            matches!(refused, Err(StoreError::WrongState { .. })),
            "{refused:?}"
        );
        let found = store.waits_as(&[last.id, id]).await.unwrap();
        assert_eq!(found, [(last.id, kind(first))], "only one of them waits");
    }
    assert_eq!(store.waiting().await.unwrap(), [kind(first)]);
}

/// A few kinds of needs and of servers, so that they often fit and often do not.
fn needs() -> impl Strategy<Value = Needs> {
    let formats = prop::sample::subsequence(vec![Format::Glb, Format::Stl, Format::Ply], 0..=2);
    let closure = prop::option::of(0..2usize);
    (formats, 0..3u64, closure, any::<bool>()).prop_map(|(formats, vram_bytes, closure, mesh)| Needs {
        formats,
        vram_bytes,
        closure: closure.map(|which| ["a", "b"][which].to_owned()),
        decoder: None,
        mesh,
    })
}

fn ability() -> impl Strategy<Value = Ability> {
    let formats = prop::sample::subsequence(vec![Format::Glb, Format::Stl, Format::Ply], 1..=3);
    (
        prop::option::of(formats),
        prop::option::of(0..3u64),
        prop::option::of(0..3usize),
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(formats, vram_bytes, closure, meshes)| Ability {
            formats,
            vram_bytes,
            closures: closure.map(|which| vec![["a", "b", "c"][which].to_owned()]),
            decoders: None,
            meshes,
        })
}

/// Whoever claims gets a job that it can do, of its owner the oldest such; nothing only where there is none. So no job
/// waits while somebody who can do it asks.
pub fn check<F: Fixture>() {
    let config = ProptestConfig {
        cases: 48,
        max_shrink_iters: 256,
        ..ProptestConfig::default()
    };
    let owners = ["", "ada", "bob"];
    let jobs = prop::collection::vec((0..3usize, needs()), 1..12);
    let claims = prop::collection::vec(ability(), 1..16);
    let played = TestRunner::new(config).run(&(jobs, claims), |(jobs, claims)| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let place = F::new().await;
            let store = place.store();
            let mut waiting = BTreeMap::new();
            for (n, (owner, needs)) in (1..).zip(jobs) {
                let new = needing(n, owners[owner], needs.clone());
                waiting.insert(new.id, (owner, needs));
                store.submit(new).await.unwrap();
            }
            // In the end everybody asks who can do anything.
            let last = std::iter::repeat_n(Ability::default(), waiting.len());
            for ability in claims.into_iter().chain(last) {
                let fits = |needs: &Needs| ability.meets(needs);
                match claimed(&*store, &ability).await {
                    Some(id) => {
                        let (owner, needs) = waiting.remove(&id).unwrap();
                        assert!(fits(&needs), "{needs:?} {ability:?}");
                        let older = waiting
                            .range(..id)
                            .any(|(_, (other, needs))| *other == owner && fits(needs));
                        assert!(!older, "an older job of the same owner was passed over");
                    }
                    None => assert!(
                        !waiting.values().any(|(_, needs)| fits(needs)),
                        "{waiting:?} {ability:?}"
                    ),
                }
            }
            assert!(waiting.is_empty(), "{waiting:?}");
        });
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
}
