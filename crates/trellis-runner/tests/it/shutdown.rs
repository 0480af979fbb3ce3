//! What a shutdown does to running jobs.

use std::time::Duration;

use trellis_core::JobState;
use trellis_jobs::JobStore;

use crate::kit::{Place, told};
use crate::scripted::Script;

#[tokio::test]
async fn a_job_that_ends_before_the_deadline_is_finished() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.drain_deadline = Duration::from_secs(30);
    let runner = place.run(settings);
    let running = place.submit(Script::Gate).await;
    told(&place.backend.begun).await;
    let stopping = tokio::spawn(runner.stop());
    place.backend.gate.cancel();
    stopping.await.unwrap();
    assert_eq!(place.store.get(running).await.unwrap().state, JobState::Succeeded);
}

#[tokio::test]
async fn a_job_that_does_not_is_handed_back_uncharged() {
    let place = Place::new();
    let id = place.submit(Script::UntilCancelled).await;
    // More often than a job may lose its worker.
    for _ in 0..4 {
        let runner = place.run(place.settings());
        told(&place.backend.begun).await;
        runner.stop().await;
        told(&place.backend.stopped).await;
        assert_eq!(place.store.get(id).await.unwrap().state, JobState::Queued);
    }
    assert_eq!(place.scratch(), 0);
}

#[tokio::test]
async fn nothing_new_is_begun_once_the_shutdown_began() {
    let place = Place::new();
    let runner = place.run(place.settings());
    runner.stop().await;
    let id = place.submit(Script::Bytes).await;
    let restarted = place.run(place.settings());
    assert_eq!(place.ended(id).await.history.len(), 3);
    restarted.stop().await;
}
