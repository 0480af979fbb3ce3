//! The table: waits against load, with owners who take turns, by the priorities of one owner, and in the order of submission.

use std::fmt::Write as _;
use std::time::Duration;

use trellis_core::Priority;

use crate::{InOrder, Job, Mix, Policy, Started, Turns, Waits, Workload, run};

/// A claim that waits for nobody, as measured (docs/performance.md).
const CLAIM: Duration = Duration::from_millis(20);
/// At the beginning all GPUs are free: what comes in that part of the time is not counted.
const SETTLING: u32 = 10;

/// What is simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// How many GPUs.
    pub gpus: usize,
    /// How much of them is asked for, each once.
    pub loads: Vec<f64>,
    /// For how long jobs come.
    pub span: Duration,
    /// Who submits them.
    pub mix: Mix,
    /// The same for the same numbers.
    pub seed: u64,
}

/// The waits under one load and one policy. `None`: there were no such jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Of the GPUs, how much is asked for.
    pub load: f64,
    /// `turns`, `priorities` or `in order`.
    pub policy: &'static str,
    /// How many jobs came.
    pub jobs: usize,
    /// Of those who submit one job at a time.
    pub people: Option<Waits>,
    /// Of the one with batches.
    pub batches: Option<Waits>,
    /// Of the jobs that large GPUs alone can do, of those who submit one at a time.
    pub needy: Option<Waits>,
}

/// Simulates each load under each policy. With `priorities` all jobs are one owner's, as on a server without keys, and those
/// of the batches have a low one.
pub fn lines(asked: &Asked) -> Vec<Line> {
    let mut lines = Vec::new();
    for &load in &asked.loads {
        let workload = Workload::of(asked.gpus, load, asked.span, asked.mix, asked.seed);
        let Workload { kinds, pools, .. } = &workload;
        let of_one_owner: Vec<Job> = workload
            .jobs
            .iter()
            .map(|job| of_one_owner(job, asked.mix.people))
            .collect();
        let policies: [(&str, &[Job], Box<dyn Policy>); 3] = [
            ("turns", &workload.jobs, Box::new(Turns::new(kinds, pools))),
            ("priorities", &of_one_owner, Box::new(Turns::new(kinds, pools))),
            ("in order", &workload.jobs, Box::new(InOrder::new(kinds, pools))),
        ];
        for (name, submitted, mut policy) in policies {
            let started = run(submitted, kinds, pools, policy.as_mut(), CLAIM);
            lines.push(line(asked, load, &workload, name, &started));
        }
    }
    lines
}

fn of_one_owner(job: &Job, batches: usize) -> Job {
    let priority = if job.owner == batches {
        Priority::Low
    } else {
        Priority::Normal
    };
    Job {
        owner: 0,
        priority,
        ..job.clone()
    }
}

fn line(
    asked: &Asked,
    load: f64,
    workload: &Workload,
    policy: &'static str,
    started: &[Option<Started>],
) -> Line {
    let jobs = &workload.jobs;
    let waits = |such: &dyn Fn(usize, usize) -> bool| {
        let settled = asked.span / SETTLING;
        let counted = jobs.iter().zip(started).filter(|(job, _)| job.at >= settled);
        let such = counted.filter(|(job, _)| such(job.owner, job.kind));
        Waits::of(
            such.filter_map(|(job, started)| Some(started.as_ref()?.waited(job.at)))
                .collect(),
        )
    };
    let people = asked.mix.people;
    Line {
        load,
        policy,
        jobs: jobs.len(),
        people: waits(&|owner, _| owner < people),
        batches: waits(&|owner, _| owner == people),
        needy: waits(&|owner, kind| owner < people && kind > 0),
    }
}

/// The lines as a table in Markdown: the seconds that one in two, nine in ten and 99 in a hundred wait at most.
pub fn table(lines: &[Line]) -> String {
    let mut table = String::from(
        "| load | policy | jobs | people | their jobs for large GPUs | the one with batches |\n\
         |---:|---|---:|---:|---:|---:|\n",
    );
    let written = |waits: &Option<Waits>| waits.map_or_else(String::new, |waits| waits.to_string());
    for line in lines {
        let Line {
            load, policy, jobs, ..
        } = line;
        let (people, needy, batches) = (
            written(&line.people),
            written(&line.needy),
            written(&line.batches),
        );
        // Writing to a text does not fail.
        let _ = writeln!(
            table,
            "| {load} | {policy} | {jobs} | {people} | {needy} | {batches} |"
        );
    }
    table
}
