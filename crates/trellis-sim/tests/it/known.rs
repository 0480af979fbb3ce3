//! What the report says, and where its seconds are from.

use std::time::Duration;

use trellis_core::Stage;
use trellis_sim::{Asked, Mix, SECONDS, lines, table, whole_job};

#[test]
fn the_seconds_of_the_stages_are_those_of_docs_performance() {
    let docs = include_str!("../../../../docs/performance.md");
    let row = |begin: &str| -> Vec<String> {
        let line = docs.lines().find(|line| line.starts_with(begin)).unwrap();
        line.split('|')
            .skip(2)
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let names = row("| | condition | sparse structure |");
    let seconds = row("| ours | 0.");
    let found: Vec<_> = names
        .into_iter()
        .zip(seconds)
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let expected = SECONDS.map(|(stage, seconds)| (stage.name().replace('_', " "), format!("{seconds:.2}")));
    assert_eq!(found, expected);
}

#[test]
fn a_larger_mesh_takes_longer_from_its_decoding_on() {
    let seconds = |size| whole_job(|_| true, size).as_secs_f64();
    assert!((seconds(1.0) - 5.21).abs() < 1e-9);
    assert!((seconds(2.0) - seconds(1.0) - 4.04).abs() < 1e-9);
    let latents = whole_job(|stage| stage < Stage::Decode, 5.0).as_secs_f64();
    assert!((latents - 1.17).abs() < 1e-9);
}

#[test]
fn with_turns_or_priorities_whoever_submits_one_job_waits_for_no_batch() {
    let asked = Asked {
        gpus: 50,
        loads: vec![0.5, 0.9, 1.2],
        span: Duration::from_secs(1_200),
        mix: Mix {
            people: 20,
            batches: 0.5,
            batch: 200,
        },
        seed: 1,
    };
    let found = lines(&asked);
    assert_eq!(table(&found), table(&lines(&asked)), "the same for the same seed");
    for of_load in found.chunks(3) {
        let [turns, priorities, in_order] = of_load else {
            panic!("three policies")
        };
        let names = [turns.policy, priorities.policy, in_order.policy];
        assert_eq!(names, ["turns", "priorities", "in order"]);
        let p90 = |line: &trellis_sim::Line| line.people.unwrap().p90;
        assert!(p90(turns) < Duration::from_secs(2), "{}", table(&found));
        assert!(p90(turns) * 3 < p90(in_order), "{}", table(&found));
        assert!(p90(priorities) * 3 < p90(in_order), "{}", table(&found));
        // What they do not wait, the batches do.
        assert!(
            turns.batches.unwrap().mean > in_order.batches.unwrap().mean,
            "{}",
            table(&found)
        );
    }
}
