//! Who is served next.
//!
//! [`Turns`] hands the stores' own rule ([`trellis_jobs::rules::next`]) what the stores find for it: of each owner
//! and priority the oldest job that can be done, and when the owner was last served in this queue. A test has a real store claim beside it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;
use trellis_core::{JobId, Priority};
use trellis_jobs::rules::{self, Next, Waiting};
use trellis_jobs::{Owner, RunningLimits};

use crate::{Job, Kind, Pool};

/// Keeps the jobs that wait, and says which is next.
pub trait Policy {
    /// A job waits. Those that come later have larger numbers.
    fn queue(&mut self, number: usize, job: &Job);

    /// Takes the job that a free GPU of that pool works on next.
    fn claim(&mut self, pool: usize) -> Option<usize>;
}

/// Which kinds of jobs each pool takes.
fn kinds_taken(kinds: &[Kind], pools: &[Pool]) -> Vec<Vec<usize>> {
    let taken = pools.iter().map(|pool| {
        let taken = (0..kinds.len()).filter(|&kind| pool.takes(&kinds[kind]));
        taken.collect()
    });
    taken.collect()
}

/// The oldest job of all first.
#[derive(Debug)]
pub struct InOrder {
    kinds_of: Vec<Vec<usize>>,
    /// By kind, the oldest first.
    waiting: Vec<VecDeque<usize>>,
}

impl InOrder {
    /// Nobody waits.
    pub fn new(kinds: &[Kind], pools: &[Pool]) -> Self {
        Self {
            kinds_of: kinds_taken(kinds, pools),
            waiting: vec![VecDeque::new(); kinds.len()],
        }
    }
}

impl Policy for InOrder {
    fn queue(&mut self, number: usize, job: &Job) {
        self.waiting[job.kind].push_back(number);
    }

    fn claim(&mut self, pool: usize) -> Option<usize> {
        let fit = self.kinds_of[pool].iter().copied();
        let kind = fit
            .filter(|&kind| !self.waiting[kind].is_empty())
            .min_by_key(|&kind| self.waiting[kind].front().copied())?;
        self.waiting[kind].pop_front()
    }
}

/// Owners take turns, as in the stores.
#[derive(Debug)]
pub struct Turns {
    kinds_of: Vec<Vec<usize>>,
    /// By pool: the demands that it serves, under which the store notes turns.
    queues: Vec<String>,
    /// By owner who has jobs waiting, kind and priority, the oldest first.
    waiting: BTreeMap<usize, Vec<BTreeMap<Priority, VecDeque<usize>>>>,
    /// How often jobs that wait were passed over.
    passed_over: HashMap<i64, u32>,
    kinds: usize,
    owners: HashMap<usize, Owner>,
    /// When each owner was last served, by queue.
    served_at: HashMap<String, HashMap<usize, u64>>,
    served: u64,
    limits: RunningLimits,
}

impl Turns {
    /// Nobody waits, and nobody was served.
    pub fn new(kinds: &[Kind], pools: &[Pool]) -> Self {
        let queue = |pool: &Pool| {
            let demands: Vec<String> = pool.demands.iter().map(ToString::to_string).collect();
            demands.join(" ")
        };
        Self {
            kinds_of: kinds_taken(kinds, pools),
            queues: pools.iter().map(queue).collect(),
            waiting: BTreeMap::new(),
            passed_over: HashMap::new(),
            kinds: kinds.len(),
            owners: HashMap::new(),
            served_at: HashMap::new(),
            served: 0,
            limits: RunningLimits::new(),
        }
    }
}

impl Policy for Turns {
    fn queue(&mut self, number: usize, job: &Job) {
        let none = || vec![BTreeMap::new(); self.kinds];
        let kinds = self.waiting.entry(job.owner).or_insert_with(none);
        kinds[job.kind].entry(job.priority).or_default().push_back(number);
        self.owners
            .entry(job.owner)
            .or_insert_with(|| Owner::named(&job.owner.to_string()));
    }

    fn claim(&mut self, pool: usize) -> Option<usize> {
        let turns = self.served_at.entry(self.queues[pool].clone()).or_default();
        let mut oldest = Vec::new();
        for (owner, kinds) in &self.waiting {
            let fit = self.kinds_of[pool].iter().flat_map(|&kind| &kinds[kind]);
            for (&priority, queue) in fit {
                let Some(&number) = queue.front() else { continue };
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                oldest.push(Waiting {
                    // The rule does not look at names.
                    id: JobId::new(Timestamp::UNIX_EPOCH, [0; 10]),
                    number,
                    owner: self.owners[owner].clone(),
                    priority,
                    passed_over: self.passed_over.get(&number).copied().unwrap_or(0),
                    again: false,
                    turn: turns.get(owner).copied().unwrap_or(0),
                    running: 0,
                });
            }
        }
        let Next { job, passes_over } = rules::next(oldest, &self.limits)?;
        for number in passes_over {
            *self.passed_over.entry(number).or_default() += 1;
        }
        self.passed_over.remove(&job.number);
        let next = usize::try_from(job.number).ok()?;
        let is_next = |queue: &&mut VecDeque<usize>| queue.front() == Some(&next);
        let taken = self.waiting.iter_mut().find_map(|(&owner, kinds)| {
            let mut queues = kinds.iter_mut().flat_map(BTreeMap::values_mut);
            queues.find(is_next).map(VecDeque::pop_front).map(|_| owner)
        });
        let owner = taken?;
        let is_empty = |kinds: &BTreeMap<Priority, VecDeque<usize>>| kinds.values().all(VecDeque::is_empty);
        if self.waiting[&owner].iter().all(is_empty) {
            self.waiting.remove(&owner);
        }
        self.served += 1;
        turns.insert(owner, self.served);
        Some(next)
    }
}
