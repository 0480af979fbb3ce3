//! A supervisor over a model folder of its own, and jobs for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Content, Output, Readiness, Reporter, Request};
use trellis_core::{
    AssetName, Defaults, Failure, Format, GenerateError, Params, ParamsPatch, Progress, Quality, RestartKind,
    WorkerStatus,
};
use trellis_gpu::GpuChoice;
use trellis_picture::Picture;
use trellis_supervisor::{LaunchSettings, Limits, Shares, SupervisorSettings, TrellisBackend};

/// A test that waits longer than this has found a hang.
const LIMIT: Duration = Duration::from_secs(60);

/// Limits short enough to wait for, long enough for a busy machine.
pub(crate) fn quick() -> Limits {
    Limits {
        ping_every: Duration::from_millis(200),
        silence: Duration::from_secs(4),
        patience: 0.02,
        cancel: Duration::from_secs(4),
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(100),
        ..Limits::default()
    }
}

pub(crate) fn fake() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fake_trellis")
}

pub(crate) struct Kit {
    pub(crate) backend: Arc<TrellisBackend>,
    pub(crate) folder: tempfile::TempDir,
}

/// A model folder that fails by these rules.
pub(crate) fn model(rules: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let written = Command::new("python3")
        .arg(fake().join("model.py"))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(written.success());
    script(folder.path(), rules);
    folder
}

fn script(folder: &Path, rules: &Value) {
    std::fs::write(folder.join("script.json"), rules.to_string()).unwrap();
}

/// Settings for `workers` workers over a model folder.
pub(crate) fn settings(folder: &Path, workers: u32, limits: Limits) -> SupervisorSettings {
    SupervisorSettings {
        launch: LaunchSettings {
            runs: trellis_core::Model::TrellisImageLarge,
            python: fake().join("python"),
            model: folder.to_owned(),
            torch_home: Some(folder.join("torch")),
            u2net_home: None,
            state: folder.join("state"),
            // The faster ways need real tensors.
            defaults: Defaults {
                quality: Quality::Exact,
            },
            low_vram: false,
            warm_up: false,
        },
        gpus: GpuChoice::Unchecked(workers),
        shares: Shares::default(),
        limits,
    }
}

/// One worker of TRELLIS.2 that is ready.
pub(crate) async fn trellis2(limits: Limits) -> Kit {
    let folder = tempfile::tempdir().unwrap();
    let written = Command::new("python3")
        .arg(fake().join("model.py"))
        .arg("--trellis2")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(written.success());
    let mut settings = settings(folder.path(), 1, limits);
    settings.launch.runs = trellis_core::Model::Trellis2;
    let backend = TrellisBackend::start(settings).await.unwrap();
    let kit = Kit { backend, folder };
    kit.until(|backend| backend.readiness() == Readiness::Ready).await;
    kit
}

impl Kit {
    /// One worker, whose first load may still be under way.
    pub(crate) async fn start(rules: Value, limits: Limits) -> Self {
        let folder = model(&rules);
        let backend = TrellisBackend::start(settings(folder.path(), 1, limits))
            .await
            .unwrap();
        Self { backend, folder }
    }

    /// One worker that is ready.
    pub(crate) async fn ready(rules: Value, limits: Limits) -> Self {
        let kit = Self::start(rules, limits).await;
        kit.until(|backend| backend.readiness() == Readiness::Ready).await;
        kit
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, holds: impl Fn(&TrellisBackend) -> bool) {
        let mut changes = self.backend.changes();
        let waiting = async {
            while !holds(&self.backend) {
                changes.changed().await.unwrap();
            }
        };
        let limit = tokio::time::timeout(LIMIT, waiting).await;
        assert!(limit.is_ok(), "it never holds: {:#?}", self.backend.workers());
    }

    pub(crate) fn worker(&self) -> WorkerStatus {
        self.backend.workers().remove(0)
    }

    /// Its process was replaced for these reasons so often, and for no other.
    pub(crate) fn restarted(&self, restarts: &[(RestartKind, u64)]) {
        let counters = self.worker().counters;
        assert_eq!(
            counters.restarts,
            restarts.iter().copied().collect(),
            "{counters:?}"
        );
        let count: u64 = counters.restarts.values().sum();
        assert_eq!(counters.starts, 1 + count, "{counters:?}");
    }

    /// The failure for which the backend gives up.
    pub(crate) async fn broken(&self) -> Failure {
        self.until(|backend| matches!(backend.readiness(), Readiness::Unavailable { .. }))
            .await;
        match self.backend.readiness() {
            Readiness::Unavailable { failure } => failure,
            other => panic!("it is {other:?}"),
        }
    }

    /// A job with this seed.
    pub(crate) async fn job(&self, seed: u32) -> (Result<Output, GenerateError>, Heard) {
        self.run(request(self.folder.path(), seed), CancellationToken::new())
            .await
    }

    pub(crate) async fn run(
        &self,
        request: Request,
        cancel: CancellationToken,
    ) -> (Result<Output, GenerateError>, Heard) {
        let heard = Heard::default();
        let done = tokio::time::timeout(LIMIT, self.backend.generate(request, &heard, cancel)).await;
        (done.expect("the job ends"), heard)
    }

    /// The failure of a job with this seed.
    pub(crate) async fn failure(&self, seed: u32) -> Failure {
        match self.job(seed).await.0 {
            Err(GenerateError::Failed(failure)) => failure,
            other => panic!("the job does not fail: {other:?}"),
        }
    }

    pub(crate) async fn close(self) {
        tokio::time::timeout(LIMIT, self.backend.shut_down())
            .await
            .expect("it shuts down");
    }
}

/// What a reporter was told.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) progress: Mutex<Vec<Progress>>,
}

impl Reporter for Heard {
    fn progress(&self, progress: Progress) {
        self.progress.lock().unwrap().push(progress);
    }
}

pub(crate) fn params(seed: u32) -> Params {
    let asked = ParamsPatch::default()
        .with("seed", seed)
        .with("quality", Quality::Exact);
    asked.resolve(0).unwrap()
}

pub(crate) fn request(folder: &Path, seed: u32) -> Request {
    Request {
        job: format!("01890a5d-ac96-774b-bcce-{seed:012x}").parse().unwrap(),
        attempt: 1,
        pictures: vec![picture()],
        mesh: None,
        source: None,
        latents: trellis_backend::Latents::Forget,
        name: AssetName::of_file("red chair.png").unwrap(),
        params: params(seed),
        traceparent: None,
        scratch: tempfile::tempdir_in(folder).unwrap().keep(),
    }
}

fn picture() -> Bytes {
    let picture = Picture::from_rgba8(64, 64, [200, 100, 50, 0, 200, 100, 50, 255].repeat(64 * 32)).unwrap();
    picture.to_png().into()
}

pub(crate) fn bytes(output: &Output, format: Format) -> Vec<u8> {
    let file = output
        .files
        .iter()
        .find(|file| file.format == format)
        .expect("the format was made");
    match &file.content {
        Content::File(path) => std::fs::read(path).unwrap(),
        Content::Bytes(bytes) => bytes.to_vec(),
    }
}
