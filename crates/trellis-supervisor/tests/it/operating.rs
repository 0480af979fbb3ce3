//! What operators do, and what keeps a server clean over weeks.

use std::path::Path;

use serde_json::json;
use trellis_backend::{Backend, Readiness};
use trellis_core::{RestartKind, WorkerCommand, WorkerState, WorkerStatus};
use trellis_supervisor::Limits;

use crate::kit::{Kit, quick};

fn is_gone(pid: Option<u32>) -> bool {
    !Path::new("/proc")
        .join(pid.expect("it had a process").to_string())
        .exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_replaced_after_many_jobs() {
    let kit = Kit::ready(
        json!([]),
        Limits {
            jobs_per_process: 2,
            ..quick()
        },
    )
    .await;
    let mut pids = Vec::new();
    for seed in 0..4 {
        kit.until(|backend| backend.readiness() == Readiness::Ready).await;
        pids.push(kit.worker().pid);
        kit.job(seed).await.0.unwrap();
    }
    assert_eq!((pids[0], pids[2]), (pids[1], pids[3]));
    assert_ne!(pids[0], pids[2]);
    kit.until(|backend| backend.readiness() == Readiness::Ready).await;
    assert_eq!(kit.worker().counters.recycles, 2);
    assert_eq!(kit.worker().counters.losses, 0);
    kit.restarted(&[(RestartKind::Jobs, 2)]);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_grows_is_replaced() {
    let rules = json!([{ "at": "decode", "seed": 2, "do": "leak", "bytes": 200 << 20 }]);
    let limits = Limits {
        rss_growth_bytes: 100 << 20,
        ..quick()
    };
    let kit = Kit::ready(rules, limits).await;
    let pid = kit.worker().pid;
    for (seed, recycles) in [(0, 0), (1, 0), (2, 1)] {
        kit.job(seed).await.0.unwrap();
        kit.until(|backend| backend.readiness() == Readiness::Ready).await;
        assert_eq!(kit.worker().counters.recycles, recycles, "after the job {seed}");
    }
    assert_ne!(kit.worker().pid, pid);
    kit.restarted(&[(RestartKind::Memory, 1)]);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_in_doubt_is_replaced() {
    let rules = json!([{ "at": "decode", "seed": 1, "do": "raise", "type": "RuntimeError",
        "text": "CUDA error: an illegal memory access was encountered" }]);
    let kit = Kit::ready(rules, quick()).await;
    let pid = kit.worker().pid;
    kit.job(1).await.0.unwrap_err();
    kit.job(2).await.0.unwrap();
    assert_ne!(kit.worker().pid, pid);
    kit.restarted(&[(RestartKind::Doubt, 1)]);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_by_hand_is_counted_as_one_and_a_start_after_a_drain_is_none() {
    let kit = Kit::ready(json!([]), quick()).await;
    for (command, state, starts) in [
        (WorkerCommand::Restart, WorkerState::Ready, 2),
        (WorkerCommand::Drain, WorkerState::Stopped, 2),
        (WorkerCommand::Restart, WorkerState::Ready, 3),
    ] {
        assert!(kit.backend.command("trellis-0", command));
        kit.until(|backend| {
            let worker = &backend.workers()[0];
            worker.state == state && worker.counters.starts == starts
        })
        .await;
    }
    assert_eq!(kit.worker().counters.restarts, [(RestartKind::Command, 1)].into());
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_the_job_end_and_a_restart_brings_the_worker_back() {
    let kit = Kit::ready(
        json!([{ "at": "decode", "do": "sleep", "seconds": 0.5 }]),
        quick(),
    )
    .await;
    let pid = kit.worker().pid;
    let drain = async {
        kit.until(|backend| backend.workers()[0].state == WorkerState::Busy)
            .await;
        assert!(kit.backend.command("trellis-0", WorkerCommand::Drain));
        kit.until(|backend| backend.workers()[0].state == WorkerState::Draining)
            .await;
    };
    let ((done, _), ()) = tokio::join!(kit.job(1), drain);
    done.expect("a drained worker ends its job");
    let is_stopped = |worker: &WorkerStatus| worker.state == WorkerState::Stopped && worker.pid.is_none();
    kit.until(|backend| is_stopped(&backend.workers()[0])).await;
    assert!(is_gone(pid));
    assert!(kit.broken().await.fix.contains("restart"));
    assert!(kit.backend.command("trellis-0", WorkerCommand::Restart));
    kit.until(|backend| backend.readiness() == Readiness::Ready).await;
    assert!(
        !kit.backend.command("trellis-9", WorkerCommand::Restart),
        "there is no such worker"
    );
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_leaves_no_process() {
    for rules in [json!([]), json!([{ "at": "hub", "do": "hang" }])] {
        let limits = Limits {
            shutdown: std::time::Duration::from_secs(2),
            ..quick()
        };
        let kit = Kit::start(rules, limits).await;
        kit.until(|backend| backend.workers()[0].pid.is_some()).await;
        let pid = kit.worker().pid;
        kit.close().await;
        assert!(is_gone(pid));
    }
}
