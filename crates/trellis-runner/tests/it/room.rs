//! A disk that is nearly full: what waits is kept waiting.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use trellis_core::{FailureKind, JobId, JobState};
use trellis_jobs::{BlobError, BlobKey, BlobStore, BlobStream, Disk, JobStore, Room, StagedBlob, WorkerName};
use trellis_runner::RunnerSettings;

use crate::kit::Place;
use crate::previews::{place, shows_a_preview};
use crate::scripted::Script;

/// A disk that has room or not, as the test says.
struct Tight {
    inner: Arc<dyn BlobStore>,
    full: AtomicBool,
    /// How often somebody asked.
    asked: Semaphore,
}

#[async_trait::async_trait]
impl BlobStore for Tight {
    async fn room(&self) -> Option<Room> {
        self.asked.add_permits(1);
        let total_bytes = 1 << 40;
        let free_bytes = if self.full.load(Ordering::SeqCst) {
            1 << 20
        } else {
            total_bytes
        };
        Some(Room {
            free_bytes,
            total_bytes,
        })
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        self.inner.put(key, bytes).await
    }

    async fn stage(&self, key: &BlobKey) -> Result<Box<dyn StagedBlob>, BlobError> {
        self.inner.stage(key).await
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.inner.put_file(key, file).await
    }

    async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        self.inner.copy(from, to).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        self.inner.get(key).await
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError> {
        self.inner.read(key, range).await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<(), BlobError> {
        self.inner.delete(keys).await
    }

    async fn delete_job(&self, job: JobId) -> Result<(), BlobError> {
        self.inner.delete_job(job).await
    }

    async fn jobs(&self) -> Result<Vec<JobId>, BlobError> {
        self.inner.jobs().await
    }
}

/// So many MiB are room, and not so much that it is remembered.
const ROOM: u64 = 1024;

/// A disk of scratch folders with so many MiB free.
fn scratch_disk() -> (Disk, Arc<AtomicU64>) {
    let free = Arc::new(AtomicU64::new(ROOM));
    let seen = free.clone();
    let disk = Disk::asking(move || {
        Some(Room {
            free_bytes: seen.load(Ordering::SeqCst) << 20,
            total_bytes: 1 << 40,
        })
    });
    (disk, free)
}

/// The disk of a worker's scratch folder is its own, where the files of jobs are elsewhere.
#[tokio::test]
async fn a_server_whose_scratch_disk_is_full_leaves_jobs_to_others() {
    let place = Place::new();
    let (disk, free) = scratch_disk();
    free.store(1, Ordering::SeqCst);
    let id = place.submit(Script::Bytes).await;
    let full = place.run_with_scratch_disk(disk, place.settings());
    let settings = RunnerSettings {
        worker: WorkerName("other".to_owned()),
        ..place.settings()
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(place.store.get(id).await.unwrap().state, JobState::Queued);
    let other = place.run(settings);
    assert_eq!(place.ended(id).await.state, JobState::Succeeded);
    other.stop().await;

    let waits = place.submit(Script::Bytes).await;
    free.store(ROOM, Ordering::SeqCst);
    assert_eq!(place.ended(waits).await.state, JobState::Succeeded);
    full.stop().await;
}

/// Where the disk is full without the job, the job is not to blame.
#[tokio::test]
async fn a_job_that_finds_the_scratch_disk_full_goes_back_to_the_queue() {
    let place = Place::new();
    let (disk, free) = scratch_disk();
    let id = place.submit(Script::NoSpace).await;
    let runner = place.run_with_scratch_disk(disk, place.settings());
    place.backend.begun.notified().await;
    free.store(1, Ordering::SeqCst);
    place.backend.gate.cancel();
    place
        .until(id, |job| job.state == JobState::Queued && job.attempt == 1)
        .await;
    free.store(ROOM, Ordering::SeqCst);
    let job = place.ended(id).await;
    assert_eq!(
        job.failure.unwrap().kind,
        FailureKind::StorageFull,
        "it fills the disk by itself"
    );
    assert_eq!(job.attempt, 2);
    runner.stop().await;
}

#[tokio::test]
async fn jobs_that_wait_for_room_are_neither_begun_nor_failed_and_miss_nothing() {
    let (mut place, real) = place();
    let tight = Arc::new(Tight {
        inner: place.blobs.clone(),
        full: AtomicBool::new(false),
        asked: Semaphore::new(0),
    });
    place.blobs = tight.clone();
    let id = place.submit(Script::Gate).await;
    tight.full.store(true, Ordering::SeqCst);
    tight.asked.forget_permits(Semaphore::MAX_PERMITS);
    let runner = place.run(place.settings());
    // By each place to work and the maker of previews, several times.
    let asked = tight.asked.acquire_many(10).await.unwrap();
    asked.forget();
    let job = place.store.get(id).await.unwrap();
    assert_eq!((job.state, job.artifacts), (JobState::Queued, vec![]));
    tight.full.store(false, Ordering::SeqCst);
    place.until(id, shows_a_preview).await;
    real.gate.cancel();
    assert_eq!(place.ended(id).await.state, JobState::Succeeded);
    runner.stop().await;
}
