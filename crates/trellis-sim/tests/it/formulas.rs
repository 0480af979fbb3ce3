//! Queues whose waits mathematics knows.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use trellis_core::{BackendChoice, Priority};
use trellis_jobs::{Ability, Needs};
use trellis_sim::{InOrder, Job, Kind, Policy, Pool, Turns, run};

fn exponential(mean: f64, random: &mut StdRng) -> f64 {
    -mean * (1.0 - random.random::<f64>()).ln()
}

/// Seconds that each of so many jobs waits for one of the GPUs, in order and, of one owner, with turns.
fn waits(count: usize, gpus: usize, load: f64, takes: impl Fn(&mut StdRng) -> f64) -> [Vec<f64>; 2] {
    let kinds = [Kind {
        demand: BackendChoice::Auto.into(),
        needs: Needs::default(),
    }];
    let pools = [Pool {
        gpus,
        demands: vec![BackendChoice::Auto.into()],
        ability: Ability::default(),
    }];
    let mut random = StdRng::seed_from_u64(7);
    let mut at = 0.0;
    let servers = f64::from(u32::try_from(gpus).unwrap());
    let jobs: Vec<Job> = (0..count)
        .map(|_| {
            at += exponential(1.0 / (load * servers), &mut random);
            Job {
                at: Duration::from_secs_f64(at),
                owner: 0,
                kind: 0,
                priority: Priority::Normal,
                takes: Duration::from_secs_f64(takes(&mut random)),
            }
        })
        .collect();
    let waits = |policy: &mut dyn Policy| -> Vec<f64> {
        let started = run(&jobs, &kinds, &pools, policy, Duration::ZERO);
        let all = started.iter().zip(&jobs);
        all.map(|(started, job)| started.unwrap().waited(job.at).as_secs_f64())
            .collect()
    };
    [
        waits(&mut InOrder::new(&kinds, &pools)),
        waits(&mut Turns::new(&kinds, &pools)),
    ]
}

fn mean(waits: &[f64]) -> f64 {
    waits.iter().sum::<f64>() / f64::from(u32::try_from(waits.len()).unwrap())
}

/// Erlang's C: how many of the jobs wait, with jobs of one second in the mean that come and take as chance has it.
fn erlang_c(gpus: u32, load: f64) -> f64 {
    let offered = load * f64::from(gpus);
    let (mut term, mut sum) = (1.0, 0.0);
    for n in 0..gpus {
        sum += term;
        term *= offered / f64::from(n + 1);
    }
    let waiting = term / (1.0 - load);
    waiting / (sum + waiting)
}

#[test]
fn the_formula_is_erlangs() {
    // From his table: two servers with one of work have a third waiting.
    assert!((erlang_c(2, 0.5) - 1.0 / 3.0).abs() < 1e-12);
    assert!((erlang_c(1, 0.8) - 0.8).abs() < 1e-12);
}

#[test]
fn jobs_of_random_length_wait_as_erlang_says() {
    for (gpus, load) in [(1, 0.6), (5, 0.8), (20, 0.8)] {
        let [waits, _] = waits(500_000, usize::try_from(gpus).unwrap(), load, |random| {
            exponential(1.0, random)
        });
        let waiting = erlang_c(gpus, load);
        let rate = f64::from(gpus) * (1.0 - load);
        let part = |longer: f64| {
            let found = waits.iter().filter(|&&wait| wait > longer).count();
            f64::from(u32::try_from(found).unwrap()) / f64::from(u32::try_from(waits.len()).unwrap())
        };
        // How many wait at all, how long in the mean, and how many for longer than a time.
        assert!(
            (part(0.0) / waiting - 1.0).abs() < 0.06,
            "{gpus} {load}: {} {waiting}",
            part(0.0)
        );
        let expected = waiting / rate;
        assert!(
            (mean(&waits) / expected - 1.0).abs() < 0.06,
            "{gpus} {load}: {} {expected}",
            mean(&waits)
        );
        let longer = 1.0 / rate;
        let expected = waiting * (-1.0_f64).exp();
        assert!(
            (part(longer) / expected - 1.0).abs() < 0.06,
            "{gpus} {load}: {} {expected}",
            part(longer)
        );
    }
}

#[test]
fn jobs_of_one_length_wait_half_as_long_for_one_gpu() {
    let load = 0.7;
    let expected = load / (2.0 * (1.0 - load));
    let [in_order, turns] = waits(200_000, 1, load, |_| 1.0);
    assert!(in_order == turns, "one owner's turns are the order");
    let found = mean(&in_order);
    assert!((found / expected - 1.0).abs() < 0.03, "{found} {expected}");
}
