//! A backend does not wait for the disk: it has the next job while the result of the last is stored.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use trellis_core::{BackendChoice, FailureKind, Format, JobId, JobState};
use trellis_jobs::{BlobError, BlobKey, BlobStore, BlobStream, JobStore, StagedBlob};

use crate::kit::{Place, told};
use crate::scripted::{Script, Scripted};

/// A disk that stores no result before it is released.
struct Slow {
    blobs: Arc<dyn BlobStore>,
    released: CancellationToken,
}

#[async_trait::async_trait]
impl BlobStore for Slow {
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        if key.as_str().contains("model.glb") {
            self.released.cancelled().await;
        }
        self.blobs.put(key, bytes).await
    }

    async fn stage(&self, key: &BlobKey) -> Result<Box<dyn StagedBlob>, BlobError> {
        self.blobs.stage(key).await
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.blobs.put_file(key, file).await
    }

    async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        self.blobs.copy(from, to).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        self.blobs.get(key).await
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError> {
        self.blobs.read(key, range).await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<(), BlobError> {
        self.blobs.delete(keys).await
    }

    async fn delete_job(&self, job: JobId) -> Result<(), BlobError> {
        self.blobs.delete_job(job).await
    }

    async fn jobs(&self) -> Result<Vec<JobId>, BlobError> {
        self.blobs.jobs().await
    }
}

#[tokio::test]
async fn the_next_job_begins_while_a_result_is_stored_and_a_slow_disk_holds_it_up() {
    let mut place = Place::new();
    let released = CancellationToken::new();
    place.blobs = Arc::new(Slow {
        blobs: place.blobs.clone(),
        released: released.clone(),
    });
    place.backend = Scripted::with_slots(BackendChoice::Relief, "relief", Format::Glb, 1);
    place.backends = vec![place.backend.clone()];
    let runner = place.run(place.settings());
    let first = place.submit(Script::Bytes).await;
    let second = place.submit(Script::Gate).await;
    told(&place.backend.begun).await;
    assert_eq!(place.store.get(first).await.unwrap().state, JobState::Running);
    // Two results wait for the disk: a third job waits as well.
    place.backend.gate.cancel();
    let third = place.submit(Script::Fail).await;
    let claimed = place.until(third, |job| job.state != JobState::Queued);
    let claimed = tokio::time::timeout(Duration::from_millis(300), claimed).await;
    assert!(claimed.is_err(), "claimed: {claimed:?}");
    released.cancel();
    for (job, state) in [
        (first, JobState::Succeeded),
        (second, JobState::Succeeded),
        (third, JobState::Failed),
    ] {
        assert_eq!(place.ended(job).await.state, state);
    }
    runner.stop().await;
    assert_eq!(place.scratch(), 0);
}

/// Storing is part of the job, so the time limit ends it, and so does the end of the server.
#[tokio::test]
async fn a_disk_that_never_stores_holds_neither_slot_nor_shutdown() {
    let mut place = Place::new();
    place.blobs = Arc::new(Slow {
        blobs: place.blobs.clone(),
        released: CancellationToken::new(),
    });
    let mut settings = place.settings();
    settings.job_limit = Duration::from_millis(300);
    let runner = place.run(settings);
    let job = place.ended(place.submit(Script::Bytes).await).await;
    assert_eq!(job.failure.unwrap().kind, FailureKind::TimeLimit);
    runner.stop().await;

    let runner = place.run(place.settings());
    let id = place.submit(Script::Bytes).await;
    place.until(id, |job| job.state == JobState::Running).await;
    // Ends by itself, with the job handed back.
    runner.stop().await;
    assert_eq!(place.store.get(id).await.unwrap().state, JobState::Queued);
}
