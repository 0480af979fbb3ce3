//! Jobs of several owners.

use std::sync::Arc;

use tokio::sync::watch;
use trellis_core::JobState;
use trellis_jobs::{JobStore as _, RunningLimits};
use trellis_runner::RunnerSettings;

use crate::kit::{Place, told};
use crate::scripted::Script;

/// Two may run at a time, and one of Ada's: her second job waits although there is room, Bob's goes before it. Once the
/// limit is lifted it is begun without anything else happening.
#[tokio::test]
async fn a_limit_on_running_jobs_holds_one_owner_back_and_is_looked_at_again() {
    let place = Place::new();
    let (limits, running_limits) = watch::channel(Arc::new(RunningLimits::from([("ada".to_owned(), 1)])));
    let first = place.submit_of("ada", Script::Gate).await;
    let second = place.submit_of("ada", Script::UntilCancelled).await;
    let bob = place.submit_of("bob", Script::Bytes).await;
    let next = place.submit_of("bob", Script::Bytes).await;
    let runner = place.run(RunnerSettings {
        running_limits,
        ..place.settings()
    });
    told(&place.backend.begun).await;
    for id in [bob, next] {
        assert_eq!(place.ended(id).await.state, JobState::Succeeded);
    }
    assert_eq!(place.store.get(first).await.unwrap().state, JobState::Running);
    assert_eq!(place.store.get(second).await.unwrap().state, JobState::Queued);
    limits.send_replace(Arc::default());
    told(&place.backend.begun).await;
    place.backend.gate.cancel();
    assert_eq!(place.ended(first).await.state, JobState::Succeeded);
    assert_eq!(place.store.get(second).await.unwrap().state, JobState::Running);
    runner.stop().await;
}
