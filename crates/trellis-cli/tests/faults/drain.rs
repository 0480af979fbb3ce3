//! SIGTERM under load: running jobs finish or are handed back without losing an attempt.

use std::time::{Duration, Instant};

use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;

#[tokio::test]
async fn sigterm_lets_running_jobs_finish() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &["--drain-seconds", "60"]);
    let client = Client::new(&server.address);
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(
            client
                .accepted(picture::png(1200, number), &format!("{number}"))
                .await,
        );
    }
    client.running(&ids[0], 1).await;
    let started = Instant::now();
    server.signal("TERM");
    let (status, _) = server.wait();
    println!("drained in {:.1} s", started.elapsed().as_secs_f64());
    assert_eq!(status.code(), Some(0));

    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    for id in ids {
        let job = client.finished(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(job["attempt"], 1, "it was neither broken off nor lost: {job}");
        assert_eq!(client.damage(&job).await, None);
    }
}

/// More often than a job may be lost: handing back is not losing.
#[tokio::test]
async fn sigterm_hands_back_what_does_not_finish_in_time() {
    const TIMES: u32 = 5;
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut id = None;
    for attempt in 1..=TIMES {
        let server = Server::start(home.path(), &["--drain-seconds", "0"]);
        let client = Client::new(&server.address);
        if id.is_none() {
            id = Some(client.accepted(picture::png(5000, 9), "one").await);
        }
        client
            .running(id.as_ref().expect("it was accepted"), attempt)
            .await;
        let started = Instant::now();
        server.signal("TERM");
        let (status, _) = server.wait();
        assert_eq!(status.code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(20), "the deadline holds");
    }
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let job = client.finished(&id.expect("it was accepted")).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&"succeeded".into(), &(TIMES + 1).into()),
        "{job}"
    );
    println!("handed back {TIMES} times, then done");
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_loses_nothing() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &["--drain-seconds", "600"]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(5000, 9), "one").await;
    client.running(&id, 1).await;
    server.signal("TERM");
    server.signal("INT");
    let (status, _) = server.wait();
    // 0 where the job was done before the second signal came.
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    let server = Server::start(home.path(), &[]);
    assert_eq!(
        Client::new(&server.address).finished(&id).await["state"],
        "succeeded"
    );
}
