//! Whatever backends and clients do, every claimed job ends.

use std::collections::BTreeSet;

use proptest::prelude::*;
use trellis_core::JobState;
use trellis_jobs::{JobStore, StoreError};

use crate::kit::Place;
use crate::scripted::Script;

#[derive(Debug, Clone, Copy)]
enum Act {
    Submit(Script),
    /// Cancels one of the jobs submitted so far.
    Cancel(usize),
    OpenGate,
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..Script::ALL.len()).prop_map(|index| Act::Submit(Script::ALL[index])),
        2 => any::<usize>().prop_map(Act::Cancel),
        1 => Just(Act::OpenGate),
        1 => Just(Act::Restart),
    ]
}

async fn play(acts: Vec<Act>) {
    let place = Place::new();
    let mut runner = place.run(place.settings());
    let mut jobs = Vec::new();
    for act in acts {
        match act {
            Act::Submit(script) => jobs.push((place.submit(script).await, script)),
            Act::Cancel(index) if !jobs.is_empty() => {
                let cancelled = place.cancel(jobs[index % jobs.len()].0).await;
                assert!(
                    matches!(cancelled, Ok(_) | Err(StoreError::WrongState { .. })),
                    "{cancelled:?}"
                );
            }
            Act::Cancel(_) => {}
            Act::OpenGate => place.backend.gate.cancel(),
            Act::Restart => {
                runner.stop().await;
                assert_eq!(place.store.stats().await.unwrap().running, 0);
                runner = place.run(place.settings());
            }
        }
    }
    // Jobs that end only when they are told to are told to; then everything must end.
    place.backend.gate.cancel();
    for (id, script) in &jobs {
        if *script == Script::UntilCancelled {
            let _ = place.cancel(*id).await;
        }
    }
    for (id, script) in &jobs {
        let job = place.ended(*id).await;
        let succeeds = matches!(script, Script::Bytes | Script::File | Script::Gate);
        match job.state {
            JobState::Succeeded => assert!(succeeds && job.artifacts.len() == 1),
            JobState::Failed => assert!(!succeeds && job.failure.is_some()),
            JobState::Cancelled => {}
            state => panic!("{id} is {state}"),
        }
        let seen: Vec<u64> = place
            .store
            .events(Some(*id), 0, 1_000)
            .await
            .unwrap()
            .iter()
            .map(|event| event.seq)
            .collect();
        assert!(seen.is_sorted() && seen.iter().collect::<BTreeSet<_>>().len() == seen.len());
    }
    runner.stop().await;
    assert_eq!(place.scratch(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_claimed_job_ends(acts in prop::collection::vec(act(), 1..16)) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(play(acts));
    }
}
