//! What the tests share: pictures, and a store in a folder of its own.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use image::{ImageFormat, RgbImage};
use tempfile::TempDir;
use trellis_core::{
    AssetName, BackendChoice, Demand, Failure, FailureKind, Format, Model, ParamsPatch, Priority, Sha256,
};
pub(crate) use trellis_jobs::conformance::kit::*;
use trellis_jobs::conformance::{BlobFixture, Fixture};
use trellis_jobs::{
    Asked, BlobStore, FolderBlobs, HeavyWork, JobLimits, JobStore, Jobs, Makers, SqliteStore, Staging,
    SubmitError, Submitted, Terms, Webhook,
};

pub(crate) fn picture(side: u32) -> Bytes {
    let mut png = Vec::new();
    RgbImage::new(side, side)
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .unwrap();
    png.into()
}

/// All of a submission at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Submission {
    pub(crate) pictures: Vec<Bytes>,
    pub(crate) name: Option<AssetName>,
    pub(crate) patch: ParamsPatch,
    pub(crate) backend: BackendChoice,
    pub(crate) priority: Priority,
    pub(crate) webhook: Option<Webhook>,
}

pub(crate) async fn submit(
    jobs: &Jobs,
    submission: Submission,
    terms: Terms,
) -> Result<Submitted, SubmitError> {
    let Submission {
        pictures,
        name,
        patch: params,
        backend,
        priority,
        webhook,
    } = submission;
    let mut intake = jobs.intake();
    for picture in pictures {
        intake.add(picture, name.clone()).await?;
    }
    let asked = Asked {
        params,
        backend,
        priority,
        webhook,
    };
    jobs.submit(intake, asked, terms).await
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

    pub(crate) fn jobs(&self) -> Jobs {
        jobs(self.store.clone(), self.blobs.clone(), "relief of today")
    }
}

#[async_trait::async_trait]
impl Fixture for Place {
    async fn new() -> Self {
        Self::new()
    }

    fn store(&self) -> Arc<dyn JobStore> {
        Arc::new(self.store.clone())
    }

    async fn opened_again(&self) -> Arc<dyn JobStore> {
        Arc::new(self.opened_again())
    }
}

#[async_trait::async_trait]
impl BlobFixture for Place {
    async fn new() -> Self {
        Self::new()
    }

    fn blobs(&self) -> Arc<dyn BlobStore> {
        Arc::new(self.blobs.clone())
    }
}

/// A service over a store, whose results are made by `made_by`; empty: it is not known by what.
pub(crate) fn jobs(store: SqliteStore, blobs: FolderBlobs, made_by: &'static str) -> Jobs {
    Jobs {
        store: Arc::new(store),
        blobs: Arc::new(blobs),
        defaults: trellis_core::Defaults::default(),
        makers: Arc::new(OneMaker(made_by)),
        limits: JobLimits {
            max_pixels: 10_000,
            max_images: 3,
            queue_limit: 5,
            attempt_time: Duration::from_secs(60),
        },
        staging: Staging::new(64 << 10),
        heavy_work: HeavyWork::new(1 << 20, Duration::from_secs(60)),
    }
}

/// Makes no STL.
struct OneMaker(&'static str);

impl Makers for OneMaker {
    fn default_model(&self) -> Model {
        Model::DEFAULT
    }

    fn made_by(&self, _: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        if formats.contains(&Format::Stl) {
            return Err(Failure::new(
                FailureKind::Unsupported,
                "no backend here makes `stl`",
            ));
        }
        Ok(Some(self.0.to_owned()).filter(|name| !name.is_empty()))
    }

    fn textures_meshes(&self, demand: Demand) -> Result<(), Failure> {
        assert_eq!(demand.to_string(), "trellis/trellis2-4b");
        if self.0 == "no textures" {
            return Err(Failure::new(FailureKind::Unsupported, "the encoder is missing"));
        }
        Ok(())
    }

    fn decodes(&self, _: Model, decoder: Sha256) -> bool {
        decoder == Sha256::of("this kit's decoder")
    }
}
