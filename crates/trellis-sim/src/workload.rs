//! Who submits which job when. The times of the stages were measured; the rest are assumptions, stated here.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use trellis_core::{BackendChoice, Demand, Model, Priority, Stage};
use trellis_jobs::{Ability, Needs};

use crate::{Job, Kind, Pool, whole_job};

/// One GPU in five has 80 GiB, the others 24.
const LARGE: usize = 5;
const SMALL_BYTES: u64 = 24 << 30;
const LARGE_BYTES: u64 = 80 << 30;
/// One job in ten needs this much.
const NEEDS_BYTES: u64 = 48 << 30;
const NEEDY: f64 = 0.1;
/// Of a hundred jobs so many want a textured GLB and so many a mesh without colours; the others want splats.
const GLB: f64 = 0.7;
const MESH: f64 = 0.15;
/// Meshes are half to one and a half times as large as the one that was measured.
const SIZES: std::ops::Range<f64> = 0.5..1.5;

/// Who submits how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// So many owners submit one job at a time, each as much as any other.
    pub people: usize,
    /// One more submits this part of all jobs,
    pub batches: f64,
    /// so many at a time.
    pub batch: usize,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            people: 99,
            batches: 0.5,
            batch: 2_000,
        }
    }
}

/// Jobs, and the GPUs that they are for.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// What they ask for.
    pub kinds: Vec<Kind>,
    /// The GPUs.
    pub pools: Vec<Pool>,
    /// The jobs, as they come. The owner with the largest number is the one with batches.
    pub jobs: Vec<Job>,
}

impl Workload {
    /// As many jobs within `span` as keep that part of the GPUs at work (`load`; above 1, more than they can do), the same
    /// for the same seed.
    pub fn of(gpus: usize, load: f64, span: Duration, mix: Mix, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let rate = load * count(gpus) / mean_seconds();
        let mut jobs = Vec::new();
        let batches = rate * mix.batches / count(mix.batch.max(1));
        for at in arrivals(batches, span, &mut random) {
            let batch = (0..mix.batch).map(|_| job(at, mix.people, &mut random));
            jobs.extend(batch.collect::<Vec<_>>());
        }
        for at in arrivals(rate * (1.0 - mix.batches), span, &mut random) {
            let owner = random.random_range(0..mix.people.max(1));
            jobs.push(job(at, owner, &mut random));
        }
        jobs.sort_by_key(|job| job.at);
        Self {
            kinds: [0, NEEDS_BYTES].map(kind).into(),
            pools: vec![
                pool(gpus - gpus / LARGE, SMALL_BYTES),
                pool(gpus / LARGE, LARGE_BYTES),
            ],
            jobs,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many")]
fn count(number: usize) -> f64 {
    number as f64
}

fn kind(vram_bytes: u64) -> Kind {
    Kind {
        demand: Demand::new(BackendChoice::Auto, Model::DEFAULT),
        needs: Needs {
            vram_bytes,
            ..Needs::default()
        },
    }
}

fn pool(gpus: usize, vram_bytes: u64) -> Pool {
    Pool {
        gpus,
        demands: [BackendChoice::Auto, BackendChoice::Trellis]
            .map(Demand::from)
            .into(),
        ability: Ability {
            vram_bytes: Some(vram_bytes),
            ..Ability::default()
        },
    }
}

/// Times of things that happen so often a second, each whatever the others do.
fn arrivals(rate: f64, span: Duration, random: &mut StdRng) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut at = 0.0;
    loop {
        // Never zero, whose logarithm is none.
        at -= (1.0 - random.random::<f64>()).ln() / rate;
        match Duration::try_from_secs_f64(at) {
            Ok(time) if time < span => times.push(time),
            _ => return times,
        }
    }
}

fn job(at: Duration, owner: usize, random: &mut StdRng) -> Job {
    let kind = usize::from(random.random_bool(NEEDY));
    let which: f64 = random.random();
    let takes = takes(which, random.random_range(SIZES));
    Job {
        at,
        owner,
        kind,
        priority: Priority::Normal,
        takes,
    }
}

/// `which`: 0 to 1, of all jobs.
fn takes(which: f64, size: f64) -> Duration {
    let passes = |stage| match stage {
        Stage::Simplify => which < GLB + MESH,
        Stage::Texture => which < GLB,
        _ => true,
    };
    whole_job(passes, size)
}

fn mean_seconds() -> f64 {
    let size = f64::midpoint(SIZES.start, SIZES.end);
    let of = |which| takes(which, size).as_secs_f64();
    GLB * of(0.0) + MESH * of(GLB) + (1.0 - GLB - MESH) * of(GLB + MESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_as_much_as_was_asked_for_and_the_same_for_the_same_seed() {
        let span = Duration::from_secs(3_600);
        let of = |seed| Workload::of(200, 0.8, span, Mix::default(), seed);
        let workload = of(1);
        assert_eq!(workload, of(1));
        assert_ne!(workload.jobs, of(2).jobs);
        let work: Duration = workload.jobs.iter().map(|job| job.takes).sum();
        let load = work.as_secs_f64() / span.as_secs_f64() / 200.0;
        assert!((0.68..0.92).contains(&load), "{load}");
        let of_batches = workload.jobs.iter().filter(|job| job.owner == 99).count();
        let part = count(of_batches) / count(workload.jobs.len());
        assert!((0.4..0.6).contains(&part), "{part}");
        assert!(workload.jobs.is_sorted_by_key(|job| job.at));
        assert_eq!(workload.pools.iter().map(|pool| pool.gpus).sum::<usize>(), 200);
    }
}
