//! A server in a folder: store, blobs, a scripted backend, a runner.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use image::{ImageFormat, RgbImage};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Origin, Registry};
use trellis_core::{
    AssetName, BackendChoice, Demand, Failure, Format, Installation, Job, JobId, Model, ParamsPatch, Pin,
    ServerBuild, Sha256,
};
use trellis_jobs::rules::Command;
use trellis_jobs::{
    Applied, Asked, BlobStore, Delivered, DeliveredStatement, Disk, FolderBlobs, HeavyWork, JobLimits,
    JobStore, Jobs, Makers, Owner, SqliteStore, Staging, StoreError, Terms, WorkerName,
};
use trellis_runner::{LocalMakers, Runner, RunnerSettings};

use crate::scripted::{Script, Scripted};

/// Long enough for a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) store: SqliteStore,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) backend: Arc<Scripted>,
    /// What a runner is given; the scripted one alone, where the test adds none.
    pub(crate) backends: Vec<Arc<dyn Backend>>,
    /// What makes previews.
    pub(crate) previews: Option<Arc<dyn Backend>>,
    /// Whether statements are asked for.
    pub(crate) states: bool,
    /// Which model runners have.
    pub(crate) model: Option<Sha256>,
    /// Whether its lock has what encodes a given mesh.
    pub(crate) locks_shape_encoder: bool,
}

/// A runner at work.
pub(crate) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends it without a word, as a runtime that is dropped does.
    pub(crate) fn abandon(self) {
        self.task.abort();
    }

    /// Tells it to stop and waits for it.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Scripted::new(BackendChoice::Relief, "relief", Format::Glb);
        Self {
            store: SqliteStore::open(&folder.path().join("jobs.db")).unwrap(),
            blobs: Arc::new(FolderBlobs::open(&folder.path().join("blobs")).unwrap()),
            backends: vec![backend.clone()],
            backend,
            previews: None,
            states: true,
            model: None,
            locks_shape_encoder: false,
            folder,
        }
    }

    pub(crate) fn settings(&self) -> RunnerSettings {
        RunnerSettings {
            keep_latents: true,
            worker: WorkerName("test".to_owned()),
            lease: Duration::from_secs(20),
            heartbeat_every: Duration::from_millis(50),
            job_limit: PATIENCE * 2,
            max_attempts: 3,
            drain_deadline: Duration::ZERO,
            running_limits: watch::channel(Arc::default()).1,
            scratch: self.folder.path().join("scratch"),
        }
    }

    pub(crate) fn origin(&self) -> Arc<Origin> {
        let unpinned = Pin::Unpinned {
            sha256: Some([0x55; 32].into()),
        };
        let installation = Installation {
            server: ServerBuild {
                version: "0.1.0".to_owned(),
                pin: unpinned.clone(),
            },
            python_env: unpinned,
            model_lock: self.model,
        };
        let origin = Origin::new(installation, None)
            .with_statements(self.states)
            .with_locked_shape_encoder(self.locks_shape_encoder);
        Arc::new(origin)
    }

    /// The job service over the same store.
    pub(crate) fn jobs(&self) -> Jobs {
        Jobs {
            store: Arc::new(self.store.clone()),
            blobs: self.blobs.clone(),
            defaults: trellis_core::Defaults::default(),
            makers: Arc::new(Earlier(LocalMakers {
                registry: Arc::new(Registry::new(self.backends.clone())),
                origin: self.origin(),
            })),
            limits: JobLimits {
                max_pixels: 100,
                max_images: 1,
                queue_limit: 1_000,
                attempt_time: PATIENCE * 2,
            },
            staging: Staging::new(1 << 20),
            heavy_work: HeavyWork::new(1 << 20, PATIENCE),
        }
    }

    /// A client cancels the job.
    pub(crate) async fn cancel(&self, id: JobId) -> Result<Applied, StoreError> {
        let by = Owner::default();
        self.store
            .apply(id, Timestamp::now(), Command::Cancel { by })
            .await
    }

    /// The file of that name, where the job has it.
    pub(crate) async fn artifact(&self, id: JobId, name: &str) -> Option<Delivered> {
        self.jobs().artifact(&Owner::default(), id, name).await.unwrap()
    }

    /// The statement, where the job has one.
    pub(crate) async fn statement(&self, id: JobId) -> Option<DeliveredStatement> {
        self.jobs().statement(&Owner::default(), id).await.unwrap()
    }

    pub(crate) fn run(&self, settings: RunnerSettings) -> Running {
        self.run_on(Arc::new(self.store.clone()), settings)
    }

    /// With another way to its store.
    pub(crate) fn run_on(&self, store: Arc<dyn JobStore>, settings: RunnerSettings) -> Running {
        Self::started(self.runner(store, settings))
    }

    /// With another disk for its scratch folders.
    pub(crate) fn run_with_scratch_disk(&self, disk: Disk, settings: RunnerSettings) -> Running {
        let runner = self.runner(Arc::new(self.store.clone()), settings);
        Self::started(runner.with_scratch_disk(disk))
    }

    fn runner(&self, store: Arc<dyn JobStore>, settings: RunnerSettings) -> Runner {
        let registry = Registry::new(self.backends.clone());
        let runner = Runner::new(store, self.blobs.clone(), registry, self.origin(), settings);
        match &self.previews {
            Some(maker) => runner.with_previews(maker.clone()),
            None => runner,
        }
    }

    fn started(runner: Runner) -> Running {
        let shutdown = CancellationToken::new();
        Running {
            task: tokio::spawn(runner.run(shutdown.clone())),
            shutdown,
        }
    }

    pub(crate) async fn submit(&self, script: Script) -> JobId {
        self.submit_for(script, Format::Glb).await
    }

    pub(crate) async fn submit_for(&self, script: Script, format: Format) -> JobId {
        self.submit_as(script, format, true).await
    }

    /// Submits a job that takes an earlier result where there is one.
    pub(crate) async fn submit_again(&self, script: Script) -> JobId {
        self.submit_as(script, Format::Glb, false).await
    }

    /// Submits a job of this owner.
    pub(crate) async fn submit_of(&self, owner: &str, script: Script) -> JobId {
        let terms = Terms {
            owner: Owner::named(owner),
            no_cache: true,
            ..Terms::default()
        };
        self.submit_on(terms, script, Format::Glb).await
    }

    async fn submit_as(&self, script: Script, format: Format, no_cache: bool) -> JobId {
        let terms = Terms {
            no_cache,
            ..Terms::default()
        };
        self.submit_on(terms, script, format).await
    }

    async fn submit_on(&self, terms: Terms, script: Script, format: Format) -> JobId {
        self.submit_with(terms, (script, format), None).await
    }

    /// Submits a job that textures this OBJ, and takes an earlier result where there is one.
    pub(crate) async fn submit_mesh(&self, script: Script, mesh: &'static [u8]) -> JobId {
        self.submit_with(Terms::default(), (script, Format::Glb), Some(mesh))
            .await
    }

    async fn submit_with(
        &self,
        terms: Terms,
        (script, format): (Script, Format),
        mesh: Option<&'static [u8]>,
    ) -> JobId {
        let mut png = Cursor::new(Vec::new());
        RgbImage::new(2, 2).write_to(&mut png, ImageFormat::Png).unwrap();
        let params = ParamsPatch::default()
            .with("seed", script.seed())
            .with("formats", vec![format]);
        let asked = Asked {
            params,
            ..Asked::default()
        };
        let jobs = self.jobs();
        let mut intake = jobs.intake();
        let name = AssetName::of_file("chair.png");
        intake.add(png.into_inner().into(), name).await.unwrap();
        if let Some(mesh) = mesh {
            let mut arriving = intake.mesh(None).await.unwrap();
            arriving.write(Bytes::from_static(mesh)).await.unwrap();
            intake.take_mesh(arriving).await.unwrap();
        }
        jobs.submit(intake, asked, terms).await.unwrap().job.id
    }

    /// Waits until the job is as wanted.
    pub(crate) async fn until(&self, id: JobId, wanted: impl Fn(&Job) -> bool) -> Job {
        tokio::time::timeout(PATIENCE, async {
            loop {
                let mut changes = self.store.subscribe(id);
                let job = self.store.get(id).await.unwrap();
                if wanted(&job) {
                    return job;
                }
                changes.changed().await;
            }
        })
        .await
        .unwrap()
    }

    pub(crate) async fn ended(&self, id: JobId) -> Job {
        self.until(id, |job| job.state.is_final()).await
    }

    /// What is left in the scratch folder.
    pub(crate) fn scratch(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("scratch")).map_or(0, Iterator::count)
    }
}

/// Refuses nothing: jobs may come from a server that had other backends then.
struct Earlier(LocalMakers);

impl Makers for Earlier {
    fn default_model(&self) -> Model {
        self.0.default_model()
    }

    fn made_by(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        Ok(self.0.made_by(demand, formats).unwrap_or(None))
    }

    fn made_by_with_mesh(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        Ok(self.0.made_by_with_mesh(demand, formats).unwrap_or(None))
    }

    fn textures_meshes(&self, demand: Demand) -> Result<(), Failure> {
        self.0.textures_meshes(demand)
    }

    fn decodes(&self, model: Model, decoder: Sha256) -> bool {
        self.0.decodes(model, decoder)
    }
}

/// Waits for a message of the backend.
pub(crate) async fn told(message: &Notify) {
    tokio::time::timeout(PATIENCE, message.notified()).await.unwrap();
}
