//! A server in a folder: store, blobs, a scripted backend, a runner.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use image::{ImageFormat, RgbImage};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trellis_backend::{
    Backend, Capabilities, Content, Latents, Made, MadeWith, Origin, Output, Readiness, Registry, Reporter,
    Request,
};
use trellis_core::{
    AssetName, BackendChoice, Demand, Failure, FailureKind, Format, GenerateError, Installation, Job, JobId,
    Model, ParamsPatch, Pin, Progress, ServerBuild, Sha256, Stage, Timings,
};
use trellis_jobs::rules::Command;
use trellis_jobs::{
    Applied, Asked, BlobStore, Delivered, DeliveredStatement, Disk, FolderBlobs, HeavyWork, JobLimits,
    JobStore, Jobs, Makers, Owner, SqliteStore, Staging, StoreError, Terms, WorkerName,
};
use trellis_runner::{LocalMakers, Runner, RunnerSettings};

/// Long enough for a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A GLB of one triangle, whose buffer is its last 44 bytes.
pub(crate) static GLB: LazyLock<Bytes> = LazyLock::new(|| {
    let mut text = r#"{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],
        "meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],"buffers":[{"byteLength":36}],
        "bufferViews":[{"buffer":0,"byteLength":36}],
        "accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}]}"#
        .to_owned();
    text.push_str(&" ".repeat(text.len().next_multiple_of(4) - text.len()));
    let number = |value: usize| u32::try_from(value).expect("it is small").to_le_bytes();
    let mut file = b"glTF\x02\0\0\0".to_vec();
    file.extend([64 + text.len(), text.len()].into_iter().flat_map(number));
    file.extend_from_slice(b"JSON");
    file.extend_from_slice(text.as_bytes());
    file.extend_from_slice(b"\x24\0\0\0BIN\0");
    file.extend(
        [0.0_f32, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
            .into_iter()
            .flat_map(f32::to_le_bytes),
    );
    file.into()
});

/// What the scripted backend samples.
pub(crate) const SAMPLED: &[u8] = b"coordinates and features";

/// What the scripted backend does with a job; the job's seed says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Reports and gives its bytes.
    Bytes,
    /// Gives a file in its scratch folder.
    File,
    /// Works until the test opens the gate.
    Gate,
    /// Works until it is told to stop.
    UntilCancelled,
    /// Gives up.
    Fail,
    /// Says that it was cancelled when nobody cancelled it.
    StopsItself,
    /// Has a defect.
    Panic,
    /// Gives a file with a name that leads elsewhere.
    Traversal,
    /// Gives a file that is not its own.
    Foreign,
    /// Gives nothing.
    Nothing,
    /// Gives two files of one name.
    Twice,
    /// Gives a GLB that is none.
    Broken,
    /// Finds no space once the test opens the gate.
    NoSpace,
}

impl Script {
    pub(crate) const ALL: [Self; 13] = [
        Self::Bytes,
        Self::File,
        Self::Gate,
        Self::UntilCancelled,
        Self::Fail,
        Self::StopsItself,
        Self::Panic,
        Self::Traversal,
        Self::Foreign,
        Self::Nothing,
        Self::Twice,
        Self::Broken,
        Self::NoSpace,
    ];

    fn seed(self) -> i64 {
        Self::ALL
            .iter()
            .position(|script| *script == self)
            .unwrap()
            .try_into()
            .unwrap()
    }
}

pub(crate) struct Scripted {
    choice: BackendChoice,
    model: Option<Model>,
    capabilities: Capabilities,
    /// Opens for every job of [`Script::Gate`] that waits or comes.
    pub(crate) gate: CancellationToken,
    /// Told when a job of [`Script::Gate`] or [`Script::UntilCancelled`] has begun.
    pub(crate) begun: Notify,
    /// Told when a job was stopped.
    pub(crate) stopped: Notify,
}

impl Scripted {
    pub(crate) fn new(choice: BackendChoice, name: &'static str, format: Format) -> Arc<Self> {
        Self::with_slots(choice, name, format, 2)
    }

    pub(crate) fn with_slots(
        choice: BackendChoice,
        name: &'static str,
        format: Format,
        slots: usize,
    ) -> Arc<Self> {
        let capabilities = Capabilities {
            name,
            description: "scripted",
            preview: choice == BackendChoice::Relief,
            formats: vec![format],
            multiview: false,
            slots,
        };
        Arc::new(Self {
            choice,
            model: None,
            capabilities,
            gate: CancellationToken::new(),
            begun: Notify::new(),
            stopped: Notify::new(),
        })
    }
}

impl Scripted {
    /// One that textures given meshes.
    pub(crate) fn texturing() -> Arc<Self> {
        let backend = Self::new(BackendChoice::Trellis, "trellis", Format::Glb);
        let backend = Arc::into_inner(backend).unwrap();
        Arc::new(Self {
            model: Some(Model::Trellis2),
            ..backend
        })
    }
}

fn made(name: &str, content: Content) -> Made {
    Made {
        name: name.to_owned(),
        format: Format::Glb,
        content,
    }
}

pub(crate) fn bytes(name: &str) -> Made {
    made(name, Content::Bytes(GLB.clone()))
}

#[async_trait::async_trait]
impl Backend for Scripted {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn choice(&self) -> BackendChoice {
        self.choice
    }

    fn model(&self) -> Option<Model> {
        self.model
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn textures_meshes(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn generate(
        &self,
        request: Request,
        reporter: &dyn Reporter,
        cancel: CancellationToken,
    ) -> Result<Output, GenerateError> {
        for step in 1..=100 {
            reporter.progress(Progress {
                stage: Stage::Decode,
                step,
                total: 100,
            });
        }
        let files = match Script::ALL[request.params.seed as usize] {
            Script::Bytes => vec![bytes("model.glb")],
            Script::File => {
                let path = request.scratch.join("out");
                tokio::fs::write(&path, &*GLB).await.unwrap();
                vec![made("model.glb", Content::File(path))]
            }
            Script::Gate => {
                self.begun.notify_one();
                tokio::select! {
                    () = self.gate.cancelled() => vec![bytes("model.glb")],
                    () = cancel.cancelled() => {
                        self.stopped.notify_one();
                        return Err(GenerateError::Cancelled);
                    }
                }
            }
            Script::UntilCancelled => {
                self.begun.notify_one();
                cancel.cancelled().await;
                self.stopped.notify_one();
                return Err(GenerateError::Cancelled);
            }
            Script::Fail => return Err(Failure::new(FailureKind::NoObject, "nothing stands out").into()),
            Script::NoSpace => {
                self.begun.notify_one();
                tokio::select! {
                    () = self.gate.cancelled() => {
                        return Err(Failure::new(FailureKind::StorageFull, "no space left").into());
                    }
                    () = cancel.cancelled() => {
                        self.stopped.notify_one();
                        return Err(GenerateError::Cancelled);
                    }
                }
            }
            Script::StopsItself => return Err(GenerateError::Cancelled),
            Script::Panic => panic!("scripted"),
            Script::Traversal => vec![bytes("../model.glb")],
            Script::Foreign => vec![made("model.glb", Content::File("/etc/hostname".into()))],
            Script::Nothing => vec![],
            Script::Broken => vec![made("model.glb", Content::Bytes(Bytes::from_static(b"glTF")))],
            Script::Twice => vec![bytes("model.glb"), bytes("model.glb")],
        };
        let mut notes = vec!["scripted".to_owned()];
        let mut latents = None;
        match request.latents {
            Latents::Forget => {}
            Latents::Keep => {
                let path = request.scratch.join("sampled");
                tokio::fs::write(&path, SAMPLED).await.unwrap();
                latents = Some(path);
            }
            Latents::Of(bytes) => {
                assert_eq!((&bytes[..], request.pictures.len()), (SAMPLED, 0));
                notes.push("decoded".to_owned());
            }
        }
        Ok(Output {
            files,
            notes,
            timings: Timings::default(),
            made_with: MadeWith::default(),
            latents,
        })
    }
}

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
            let mut arriving = intake.mesh().await.unwrap();
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
