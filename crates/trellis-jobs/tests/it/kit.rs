//! What the tests share: times, pictures, jobs, a store in a folder of its own.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use image::{ImageFormat, RgbImage};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use trellis_core::{
    Artifact, BackendChoice, Format, Input, JobId, ParamsPatch, PictureFormat, Progress, Stage,
};
use trellis_jobs::{
    BlobKey, Claim, ClaimFilter, Delivered, FolderBlobs, Intake, IntakeLimits, JobStore, NewJob, Outcome,
    ResultCache, SqliteStore, WorkerName,
};

pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// So many seconds after the tests' beginning of time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// The `n`th job, submitted `n` seconds in.
pub(crate) fn new_job(n: u32) -> NewJob {
    let now = at(i64::from(n));
    let id = JobId::new(now, [7; 10]);
    let input = Input {
        format: PictureFormat::Png,
        width: 2,
        height: 3,
        size_bytes: 9,
        sha256: [0x00; 32].into(),
        name: None,
    };
    NewJob {
        id,
        now,
        backend: BackendChoice::Auto,
        params: ParamsPatch::default().resolve(n).unwrap(),
        inputs: vec![(input, BlobKey::input(id, 0))],
        idempotency: None,
        queue_limit: 1_000,
        recalled: None,
    }
}

pub(crate) fn worker(name: &str) -> WorkerName {
    WorkerName(name.to_owned())
}

pub(crate) fn every_choice() -> ClaimFilter {
    ClaimFilter {
        choices: BackendChoice::ALL.to_vec(),
    }
}

pub(crate) async fn claim(store: &SqliteStore, name: &str, seconds: i64) -> Option<Claim> {
    store
        .claim(&worker(name), &every_choice(), at(seconds), LEASE)
        .await
        .unwrap()
}

pub(crate) fn file(job: JobId, attempt: u32, preview: bool) -> Delivered {
    let name = if preview { "preview.glb" } else { "model.glb" };
    Delivered {
        artifact: Artifact {
            name: name.to_owned(),
            format: Format::Glb,
            media_type: Format::Glb.media_type().to_owned(),
            size_bytes: 4,
            sha256: [0x11; 32].into(),
            preview,
        },
        key: BlobKey::artifact(job, attempt, name),
    }
}

pub(crate) fn outcome(claim: &Claim) -> Outcome {
    Outcome {
        made_by: "relief".to_owned(),
        artifacts: vec![file(claim.lease.job, claim.lease.attempt, false)],
        notes: vec!["one view is used".to_owned()],
        timings: None,
        provenance: None,
        statement: None,
    }
}

pub(crate) fn step(step: u32) -> Progress {
    Progress {
        stage: Stage::SparseStructure,
        step,
        total: 12,
    }
}

pub(crate) fn picture(side: u32) -> Bytes {
    let mut png = Vec::new();
    RgbImage::new(side, side)
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .unwrap();
    png.into()
}

/// A folder with a store and blobs.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) store: SqliteStore,
    pub(crate) blobs: FolderBlobs,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("jobs.db")).unwrap();
        let blobs = FolderBlobs::open(&folder.path().join("blobs")).unwrap();
        Self { folder, store, blobs }
    }

    /// The same files, opened a second time as another process would.
    pub(crate) fn opened_again(&self) -> SqliteStore {
        SqliteStore::open(&self.folder.path().join("jobs.db")).unwrap()
    }

    pub(crate) fn cache(&self, max_bytes: u64) -> ResultCache {
        ResultCache {
            index: Arc::new(self.store.clone()),
            blobs: Arc::new(self.blobs.clone()),
            max_bytes,
        }
    }

    pub(crate) fn intake(&self) -> Intake {
        Intake {
            store: Arc::new(self.store.clone()),
            blobs: Arc::new(self.blobs.clone()),
            limits: IntakeLimits {
                max_pixels: 10_000,
                max_images: 3,
                queue_limit: 5,
            },
            cache: None,
        }
    }
}
