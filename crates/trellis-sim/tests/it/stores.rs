//! A real store claims what the simulation says. It is the embedded one; that PostgreSQL's does the same as it, for random
//! strings of calls, is a test of trellis-store-postgres.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use trellis_core::BackendChoice::{Auto, Relief, Trellis};
use trellis_core::{BackendChoice, Demand, Priority};
use trellis_jobs::conformance::kit::{LEASE, at, new_job, worker};
use trellis_jobs::{Ability, ClaimFilter, JobStore, Needs, NewJob, Owner, SqliteStore};
use trellis_sim::{InOrder, Job, Kind, Policy, Pool, Turns};

const OWNERS: usize = 4;

fn kinds() -> Vec<Kind> {
    let kind = |backend: BackendChoice, vram_bytes| Kind {
        demand: backend.into(),
        needs: Needs {
            vram_bytes,
            ..Needs::default()
        },
    };
    vec![kind(Auto, 0), kind(Auto, 2), kind(Trellis, 1), kind(Relief, 0)]
}

fn pools() -> Vec<Pool> {
    let pool = |demands: &[BackendChoice], vram_bytes| Pool {
        gpus: 1,
        demands: demands.iter().copied().map(Demand::from).collect(),
        ability: Ability {
            vram_bytes,
            ..Ability::default()
        },
    };

    vec![
        pool(&[Auto, Trellis], Some(1)),
        pool(&[Auto, Trellis], Some(2)),
        pool(&[Auto, Trellis, Relief], None),
        pool(&[Relief], Some(0)),
    ]
}

/// A submission by an owner of a kind and a priority, or a claim by a pool.
#[derive(Debug, Clone, Copy)]
enum Call {
    Submit(usize, usize, Priority),
    Claim(usize),
}

/// The numbers of the jobs that a store and a policy claim.
async fn claims(calls: &[Call], policy: &mut dyn Policy) -> Vec<(Option<usize>, Option<usize>)> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("jobs.db")).unwrap();
    let (kinds, pools) = (kinds(), pools());
    let mut ids = Vec::new();
    let mut claimed = Vec::new();
    for call in calls {
        match *call {
            Call::Submit(owner, kind, priority) => {
                let job = NewJob {
                    owner: Owner::named(&owner.to_string()),
                    backend: kinds[kind].demand.backend(),
                    needs: kinds[kind].needs.clone(),
                    priority,
                    ..new_job(u32::try_from(ids.len()).unwrap())
                };
                policy.queue(
                    ids.len(),
                    &Job {
                        at: Duration::ZERO,
                        owner,
                        kind,
                        priority,
                        takes: Duration::ZERO,
                    },
                );
                ids.push(job.id);
                store.submit(job).await.unwrap();
            }
            Call::Claim(pool) => {
                let filter = ClaimFilter {
                    ability: pools[pool].ability.clone(),
                    ..ClaimFilter::of(pools[pool].demands.clone())
                };
                let claim = store.claim(&worker("a"), &filter, at(900), LEASE).await.unwrap();
                let number = claim.map(|claim| ids.iter().position(|id| *id == claim.lease.job).unwrap());
                claimed.push((number, policy.claim(pool)));
            }
        }
    }
    claimed
}

#[test]
fn the_store_claims_what_the_simulation_says() {
    let call = prop_oneof![
        (
            0..OWNERS,
            0..kinds().len(),
            prop::sample::select(Priority::ALL.to_vec())
        )
            .prop_map(|(owner, kind, priority)| Call::Submit(owner, kind, priority)),
        (0..pools().len()).prop_map(Call::Claim),
    ];
    let config = ProptestConfig {
        cases: 24,
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let played = TestRunner::new(config).run(&prop::collection::vec(call, 1..60), |calls| {
        let (kinds, pools) = (kinds(), pools());
        let by_turns = runtime.block_on(claims(&calls, &mut Turns::new(&kinds, &pools)));
        for (store, policy) in by_turns {
            prop_assert_eq!(store, policy, "{:?}", calls);
        }
        Ok(())
    });
    played.unwrap_or_else(|failed| panic!("{failed}"));
    // The comparison can tell: a plain queue is something else.
    let (kinds, pools) = (kinds(), pools());
    let calls = [
        Call::Submit(0, 0, Priority::Normal),
        Call::Submit(0, 0, Priority::Normal),
        Call::Submit(1, 0, Priority::Normal),
        Call::Claim(0),
        Call::Claim(0),
    ];
    let in_order = runtime.block_on(claims(&calls, &mut InOrder::new(&kinds, &pools)));
    assert_eq!(in_order, [(Some(0), Some(0)), (Some(2), Some(1))]);
}
