//! What holds whatever comes: each job is done once, no GPU does two at a time, none is free while one waits that it can do,
//! and owners take turns.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use trellis_core::{BackendChoice, Priority};
use trellis_jobs::{Ability, Needs};
use trellis_sim::{InOrder, Job, Kind, Policy, Pool, Started, Turns, run};

fn kinds() -> Vec<Kind> {
    let kind = |vram_bytes| Kind {
        demand: BackendChoice::Auto.into(),
        needs: Needs {
            vram_bytes,
            ..Needs::default()
        },
    };
    (0..3).map(kind).collect()
}

fn pools(gpus: [usize; 2]) -> Vec<Pool> {
    let pool = |(gpus, vram_bytes)| Pool {
        gpus,
        demands: vec![BackendChoice::Auto.into()],
        ability: Ability {
            vram_bytes: Some(vram_bytes),
            ..Ability::default()
        },
    };
    gpus.into_iter().zip([0, 1]).map(pool).collect()
}

fn jobs() -> impl Strategy<Value = Vec<Job>> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let job = (
        0..40u64,
        0..4usize,
        0..3usize,
        priority,
        1_000_000_000..9_000_000_000_u64,
    )
        .prop_map(|(at, owner, kind, priority, takes)| Job {
            at: Duration::from_secs(at),
            owner,
            kind,
            priority,
            // No two end at one moment.
            takes: Duration::from_nanos(takes),
        });
    prop::collection::vec(job, 1..60).prop_map(|mut jobs| {
        jobs.sort_by_key(|job| job.at);
        jobs
    })
}

fn check(jobs: &[Job], pools: &[Pool], policy: &mut dyn Policy) -> Vec<Option<Started>> {
    let kinds = kinds();
    let started = run(jobs, &kinds, pools, policy, Duration::ZERO);
    for (job, started) in jobs.iter().zip(&started) {
        let can = pools
            .iter()
            .any(|pool| pool.gpus > 0 && pool.takes(&kinds[job.kind]));
        assert_eq!(started.is_some(), can, "{job:?}");
        if let Some(started) = started {
            assert!(
                started.at >= job.at && pools[started.pool].takes(&kinds[job.kind]),
                "{job:?}"
            );
        }
    }
    // At each moment when something begins or is waited for.
    for moment in jobs
        .iter()
        .map(|job| job.at)
        .chain(started.iter().flatten().map(|it| it.at))
    {
        for (number, pool) in pools.iter().enumerate() {
            let at_work = jobs.iter().zip(&started).filter(|(job, started)| {
                started.is_some_and(|it| it.pool == number && it.at <= moment && moment < it.at + job.takes)
            });
            let at_work = at_work.count();
            assert!(at_work <= pool.gpus, "{number} at {moment:?}");
            let waits = jobs.iter().zip(&started).any(|(job, started)| {
                started.is_some_and(|it| job.at <= moment && moment < it.at) && pool.takes(&kinds[job.kind])
            });
            assert!(
                !waits || at_work == pool.gpus,
                "a GPU of {number} is free at {moment:?}"
            );
        }
    }
    started
}

/// The numbers of the jobs in the order in which they begin, of those of one kind.
fn order(jobs: &[Job], started: &[Option<Started>], such: impl Fn(&Job) -> bool) -> Vec<(Duration, usize)> {
    let begun = started
        .iter()
        .enumerate()
        .filter(|(number, _)| such(&jobs[*number]));
    let mut begun: Vec<_> = begun
        .filter_map(|(number, it)| Some(((*it)?.at, number)))
        .collect();
    begun.sort();
    begun
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_job_is_done_once_and_no_gpu_is_free_while_one_waits(jobs in jobs(), gpus in [0..4usize, 0..4usize]) {
        let (kinds, pools) = (kinds(), pools(gpus));
        let turns = check(&jobs, &pools, &mut Turns::new(&kinds, &pools));
        let in_order = check(&jobs, &pools, &mut InOrder::new(&kinds, &pools));
        for kind in 0..kinds.len() {
            let of_kind = order(&jobs, &in_order, |job| job.kind == kind);
            prop_assert!(of_kind.is_sorted_by_key(|(_, number)| *number), "in order of submission");
            for owner in 0..4 {
                for priority in Priority::ALL {
                    let own = order(&jobs, &turns, |job| {
                        job.kind == kind && job.owner == owner && job.priority == priority
                    });
                    prop_assert!(own.is_sorted_by_key(|(_, number)| *number), "of each owner's alike the oldest first");
                }
            }
        }
    }

    #[test]
    fn between_two_jobs_of_an_owner_everybody_else_who_waits_is_served(mut jobs in jobs(), gpus in 1..4usize) {
        for job in &mut jobs {
            job.kind = 0;
        }
        let (kinds, pools) = (kinds(), pools([gpus, 0]));
        let started = check(&jobs, &pools, &mut Turns::new(&kinds, &pools));
        let mut served: BTreeMap<usize, Duration> = BTreeMap::new();
        for (at, number) in order(&jobs, &started, |_| true) {
            let job = &jobs[number];
            if let Some(before) = served.insert(job.owner, at) {
                // Somebody waited all this time and was passed over twice.
                let passed_over = jobs.iter().zip(&started).find(|(other, it)| {
                    let begun = it.map_or(Duration::MAX, |it| it.at);
                    let earlier = served.get(&other.owner).copied();
                    other.owner != job.owner && other.at < before && begun > at
                        && earlier.is_none_or(|earlier| earlier < before)
                });
                prop_assert!(passed_over.is_none(), "{job:?} at {at:?}: {passed_over:?}");
            }
        }
    }
}
