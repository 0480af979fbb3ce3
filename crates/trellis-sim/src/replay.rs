//! What submissions that really happened would have waited: each line of a file is a job, with when it was accepted, whose it
//! was and how long it took. `tests/bench/waits.sh` puts that beside what they did wait.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use trellis_core::{BackendChoice, Priority};
use trellis_jobs::{Ability, Needs};

use crate::{InOrder, Job, Kind, Policy, Pool, Turns, run};

/// A line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Submission {
    /// Seconds after the first.
    at: f64,
    owner: String,
    seconds: f64,
    #[serde(default)]
    priority: Priority,
}

/// Why submissions cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A line is not a submission.
    #[error("line {line} is not a submission such as {{\"at\": 1.5, \"owner\": \"ada\", \"seconds\": 4.7}}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A time is no time.
    #[error("line {line} has a time that is negative or too long")]
    Time {
        /// From 1.
        line: usize,
    },
    /// There is nobody to do them.
    #[error("no GPU works on these jobs; one is the least")]
    NoGpu,
}

/// The seconds that each job waits, in the order of the lines: with owners who take turns, and in order of submission.
pub fn replay(lines: &str, gpus: usize, claim: Duration) -> Result<Vec<(f64, f64)>, ReplayError> {
    if gpus == 0 {
        return Err(ReplayError::NoGpu);
    }
    let jobs = read(lines)?;
    let kinds = [Kind {
        demand: BackendChoice::Auto.into(),
        needs: Needs::default(),
    }];
    let pools = [Pool {
        gpus,
        demands: vec![BackendChoice::Auto.into()],
        ability: Ability::default(),
    }];
    // The engine wants them as they come.
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&job| jobs[job].at);
    let sorted: Vec<Job> = order.iter().map(|&job| jobs[job].clone()).collect();
    let waits = |policy: &mut dyn Policy| {
        let started = run(&sorted, &kinds, &pools, policy, claim);
        let mut waits = vec![0.0; jobs.len()];
        for ((&job, started), came) in order.iter().zip(started).zip(&sorted) {
            waits[job] = started.map_or(0.0, |started| started.waited(came.at).as_secs_f64());
        }
        waits
    };
    let turns = waits(&mut Turns::new(&kinds, &pools));
    let in_order = waits(&mut InOrder::new(&kinds, &pools));
    Ok(turns.into_iter().zip(in_order).collect())
}

fn read(lines: &str) -> Result<Vec<Job>, ReplayError> {
    let mut owners = HashMap::new();
    let mut jobs = Vec::new();
    for (line, text) in (1..).zip(lines.lines()) {
        let Submission {
            at,
            owner,
            seconds,
            priority,
        } = serde_json::from_str(text).map_err(|source| ReplayError::Line { line, source })?;
        let time = |seconds| Duration::try_from_secs_f64(seconds).map_err(|_| ReplayError::Time { line });
        let next = owners.len();
        jobs.push(Job {
            at: time(at)?,
            owner: *owners.entry(owner).or_insert(next),
            kind: 0,
            priority,
            takes: time(seconds)?,
        });
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gpu_serves_owners_in_turns_or_in_order() {
        let lines = [(0.0, "ada"), (0.1, "ada"), (0.2, "ada"), (0.3, "bob")]
            .map(|(at, owner)| format!("{{\"at\": {at}, \"owner\": \"{owner}\", \"seconds\": 1}}"));
        let waits = replay(&lines.join("\n"), 1, Duration::ZERO).unwrap();
        let rounded: Vec<_> = waits
            .iter()
            .map(|(turns, order)| (format!("{turns:.1}"), format!("{order:.1}")))
            .collect();
        let expected = [("0.0", "0.0"), ("1.9", "0.9"), ("2.8", "1.8"), ("0.7", "2.7")];
        assert_eq!(
            rounded,
            expected.map(|(turns, order)| (turns.to_owned(), order.to_owned()))
        );
    }

    #[test]
    fn refuses_lines_that_are_no_submissions() {
        let refused = |lines| replay(lines, 1, Duration::ZERO).unwrap_err().to_string();
        assert!(refused("{}").starts_with("line 1 is not"));
        let negative = r#"{"at": -1, "owner": "", "seconds": 1}"#;
        assert!(refused(negative).starts_with("line 1 has a time"));
        assert!(replay("", 0, Duration::ZERO).is_err());
        assert!(replay("", 1, Duration::ZERO).unwrap().is_empty());
    }
}
