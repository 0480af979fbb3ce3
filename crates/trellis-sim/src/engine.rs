//! From event to event: a job comes, or a GPU is done with one.
//!
//! No free GPU that can do a job waits while that job waits: whoever becomes free asks the policy at once, and a job that
//! comes is offered to the free ones first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::{Job, Kind, Policy, Pool, Started};

/// Runs until the last job is done. `jobs` are in the order in which they come; a GPU that takes one is held for `claim`
/// before work begins. `None`: no GPU takes such jobs.
pub fn run(
    jobs: &[Job],
    kinds: &[Kind],
    pools: &[Pool],
    policy: &mut dyn Policy,
    claim: Duration,
) -> Vec<Option<Started>> {
    let takers: Vec<Vec<usize>> = kinds
        .iter()
        .map(|kind| (0..pools.len()).filter(|&pool| pools[pool].takes(kind)).collect())
        .collect();
    let mut free: Vec<usize> = pools.iter().map(|pool| pool.gpus).collect();
    let mut started = vec![None; jobs.len()];
    // When, which job, on a GPU of which pool: the earliest first.
    let mut ends: BinaryHeap<Reverse<(Duration, usize, usize)>> = BinaryHeap::new();
    let mut begin = |now: Duration, pool: usize, job: usize, ends: &mut BinaryHeap<_>| {
        let at = now + claim;
        started[job] = Some(Started { at, pool });
        ends.push(Reverse((at + jobs[job].takes, job, pool)));
    };
    // Which of several free GPUs comes first is chance.
    let mut chance = StdRng::seed_from_u64(0);
    let mut coming = (0..jobs.len()).peekable();
    loop {
        let next = coming.peek().map(|&job| jobs[job].at);
        let end = ends.peek().map(|Reverse((at, ..))| *at);
        match (next, end) {
            (None, None) => return started,
            (Some(at), end) if end.is_none_or(|end| at < end) => {
                let job = coming.next().unwrap_or_default();
                policy.queue(job, &jobs[job]);
                let pool = pick(&takers[jobs[job].kind], &free, &mut chance);
                if let Some((pool, job)) = pool.and_then(|pool| Some((pool, policy.claim(pool)?))) {
                    free[pool] -= 1;
                    begin(at, pool, job, &mut ends);
                }
            }
            _ => {
                let Some(Reverse((at, _, pool))) = ends.pop() else {
                    continue;
                };
                match policy.claim(pool) {
                    Some(job) => begin(at, pool, job, &mut ends),
                    None => free[pool] += 1,
                }
            }
        }
    }
}

/// The pool of one of the free GPUs, each as likely as any other.
fn pick(takers: &[usize], free: &[usize], chance: &mut StdRng) -> Option<usize> {
    let all: usize = takers.iter().map(|&pool| free[pool]).sum();
    if all == 0 {
        return None;
    }
    let mut which = chance.random_range(0..all);
    takers.iter().copied().find(|&pool| {
        let found = which < free[pool];
        which = which.saturating_sub(free[pool]);
        found
    })
}
