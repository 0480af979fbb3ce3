//! How jobs end, one by one.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trellis_core::{BackendChoice, EventKind, FailureKind, Format, JobId, JobState, Sha256};
use trellis_jobs::{BlobError, BlobKey, BlobStore, BlobStream, JobStore, StagedBlob};

use crate::kit::{Place, told};
use crate::scripted::{Script, Scripted};

#[tokio::test]
async fn files_come_from_memory_and_from_the_scratch_folder() {
    let place = Place::new();
    let runner = place.run(place.settings());
    for script in [Script::Bytes, Script::File] {
        let id = place.submit(script).await;
        let job = place.ended(id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
        assert_eq!(
            (job.made_by.as_deref(), job.notes),
            (Some("relief"), vec!["scripted".to_owned()])
        );
        assert_eq!(job.artifacts.len(), 1);
        let file = place.artifact(id, "model.glb").await.unwrap();
        let bytes = place.blobs.get(&file.key).await.unwrap();
        assert_eq!(file.artifact.size_bytes, bytes.len() as u64);
        assert_eq!(file.artifact.sha256, Sha256::of(&bytes));
    }
    runner.stop().await;
    assert_eq!(place.scratch(), 0);
}

#[tokio::test]
async fn reports_are_coalesced_and_the_last_one_arrives() {
    let place = Place::new();
    let runner = place.run(place.settings());
    let id = place.submit(Script::Gate).await;
    let running = place
        .until(id, |job| {
            job.progress.is_some_and(|progress| progress.step == 100)
        })
        .await;
    assert_eq!(running.state, JobState::Running);
    let events = place.store.events(Some(id), 0, 1_000).await.unwrap();
    let reports = events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Progress(_)))
        .count();
    assert!(reports <= 3, "{reports} of 100 reports were written");
    place.backend.gate.cancel();
    assert_eq!(place.ended(id).await.state, JobState::Succeeded);
    runner.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_in_a_backend_fails_its_job_and_no_other() {
    let place = Place::new();
    let runner = place.run(place.settings());
    let cases = [
        (Script::Fail, FailureKind::NoObject),
        (Script::StopsItself, FailureKind::Internal),
        (Script::Panic, FailureKind::Internal),
        (Script::Traversal, FailureKind::Internal),
        (Script::Foreign, FailureKind::Internal),
        (Script::Nothing, FailureKind::Internal),
        (Script::Twice, FailureKind::Internal),
    ];
    for (script, kind) in cases {
        let job = place.submit(script).await;
        let job = place.ended(job).await;
        assert_eq!(job.failure.unwrap().kind, kind, "{script:?}");
        assert!(job.artifacts.is_empty());
    }
    let after = place.submit(Script::Bytes).await;
    assert_eq!(place.ended(after).await.state, JobState::Succeeded);
    runner.stop().await;
    assert_eq!(place.scratch(), 0);
}

#[tokio::test]
async fn a_format_that_the_backend_does_not_make_fails_at_once() {
    let place = Place::new();
    let runner = place.run(place.settings());
    let id = place.submit_for(Script::Bytes, Format::Turntable).await;
    let failure = place.ended(id).await.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert_eq!(
        failure.message,
        "`turntable` cannot be made here: `relief` makes `glb`"
    );
    runner.stop().await;
}

#[tokio::test]
async fn a_job_goes_to_the_backend_that_makes_what_it_asks_for() {
    let mut place = Place::new();
    // The better one, which is offered every `auto` job first.
    place.backends.push(Scripted::new(
        BackendChoice::Trellis,
        "trellis",
        Format::GaussianPly,
    ));
    let runner = place.run(place.settings());
    let id = place.submit_for(Script::Bytes, Format::Glb).await;
    let job = place.ended(id).await;
    assert_eq!(
        (job.state, job.made_by.as_deref()),
        (JobState::Succeeded, Some("relief"))
    );
    runner.stop().await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_stopped() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.job_limit = Duration::from_millis(100);
    let runner = place.run(settings);
    let id = place.submit(Script::UntilCancelled).await;
    assert_eq!(
        place.ended(id).await.failure.unwrap().kind,
        FailureKind::TimeLimit
    );
    told(&place.backend.stopped).await;
    runner.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_stops_its_backend() {
    let place = Place::new();
    let mut settings = place.settings();
    // It hears of it before its next heartbeat.
    settings.heartbeat_every = Duration::from_secs(3_600);
    let runner = place.run(settings);
    let id = place.submit(Script::UntilCancelled).await;
    told(&place.backend.begun).await;
    place.cancel(id).await.unwrap();
    told(&place.backend.stopped).await;
    let after = place.submit(Script::Bytes).await;
    assert_eq!(place.ended(after).await.state, JobState::Succeeded);
    let job = place.ended(id).await;
    assert_eq!((job.state, job.failure), (JobState::Cancelled, None));
    runner.stop().await;
}

/// A disk that has room for pictures but not for results.
struct Full(Arc<dyn BlobStore>);

#[async_trait::async_trait]
impl BlobStore for Full {
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        if !key.as_str().contains(".input.") {
            return Err(BlobError::Full {
                key: key.clone(),
                source: "no space left".into(),
            });
        }
        self.0.put(key, bytes).await
    }

    async fn stage(&self, key: &BlobKey) -> Result<Box<dyn StagedBlob>, BlobError> {
        self.0.stage(key).await
    }

    async fn put_file(&self, key: &BlobKey, _file: &Path) -> Result<(), BlobError> {
        self.put(key, Bytes::new()).await
    }

    async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        self.0.copy(from, to).await
    }
    async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        self.0.get(key).await
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError> {
        self.0.read(key, range).await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<(), BlobError> {
        self.0.delete(keys).await
    }

    async fn delete_job(&self, job: JobId) -> Result<(), BlobError> {
        self.0.delete_job(job).await
    }

    async fn jobs(&self) -> Result<Vec<JobId>, BlobError> {
        self.0.jobs().await
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_job_with_its_reason() {
    let mut place = Place::new();
    place.blobs = Arc::new(Full(place.blobs.clone()));
    let runner = place.run(place.settings());
    for script in [Script::Bytes, Script::File] {
        let id = place.submit(script).await;
        assert_eq!(
            place.ended(id).await.failure.unwrap().kind,
            FailureKind::StorageFull
        );
    }
    runner.stop().await;
}
