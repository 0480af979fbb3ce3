//! TRELLIS as a backend: its workers, their health, and the way of a job to one of them.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use trellis_backend::{Backend, Capabilities, Output, Readiness, Reporter, Request};
use trellis_core::{
    BackendChoice, Failure, FailureKind, Format, GenerateError, Model, Sha256, WorkerCommand, WorkerCounters,
    WorkerState, WorkerStatus,
};

use crate::attempt::{Workers, description, make};
use crate::driver::{Driver, Parts};
use crate::encoder;
use crate::environment::{own, variant};
use crate::launch::{LaunchSettings, Launcher, backend_name};
use crate::limits::Limits;
use crate::python::{UnpackError, unpack};
use crate::record::WorkerSnapshot;
use crate::share::Shares;
use crate::ticket::{Entry, Queue, Ticket};
use crate::tuning;
use trellis_core::Gpu;
use trellis_gpu::{GpuChoice, GpuError};

/// Commands that may wait for a worker; more are refused rather than kept.
const COMMANDS: usize = 8;

/// How TRELLIS is run.
pub struct SupervisorSettings {
    /// How each worker is started.
    pub launch: LaunchSettings,
    /// Which GPUs get a worker.
    pub gpus: GpuChoice,
    /// Who else works on them.
    pub shares: Shares,
    /// Times and counts.
    pub limits: Limits,
}

/// TRELLIS in worker processes, one or more for each GPU.
pub struct TrellisBackend {
    capabilities: Capabilities,
    model: Model,
    /// As its workers' environment makes it.
    variant: String,
    /// Where the record of how its kernels were chosen is, where they are chosen by timing.
    tuning: Option<PathBuf>,
    /// Why it cannot texture a given mesh.
    no_meshes: Option<Failure>,
    limits: Limits,
    workers: Vec<Handle>,
    /// Why there are no workers at all.
    without: Option<Failure>,
    entry: Entry,
    changed: Arc<watch::Sender<u64>>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

struct Handle {
    snapshot: watch::Receiver<WorkerSnapshot>,
    commands: mpsc::Sender<WorkerCommand>,
}

impl TrellisBackend {
    /// Starts the workers and returns at once; readiness says how far they are. Without a GPU the backend
    /// is there and says why it cannot work.
    pub async fn start(settings: SupervisorSettings) -> Result<Arc<Self>, UnpackError> {
        let (driver, gpus, without) = match find(&settings.gpus).await {
            Ok((driver, gpus)) => (driver, gpus, None),
            Err(failure) => (None, vec![], Some(failure)),
        };
        let folder = settings.launch.state.join("worker");
        let sources = unpack(&folder)?;
        let launch = Arc::new(settings.launch);
        let (entry, queue) = Queue::new();
        let mut backend = Self {
            capabilities: capabilities(launch.runs, gpus.len()),
            model: launch.runs,
            variant: variant(own),
            tuning: (launch.runs == Model::Trellis2).then(|| tuning::place(&launch.state)),
            no_meshes: encoder::lacking(launch.runs, &launch.model).await,
            limits: settings.limits,
            workers: Vec::new(),
            without,
            entry,
            changed: Arc::new(watch::Sender::new(0)),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        for (number, gpu) in gpus.into_iter().enumerate() {
            let share = settings.shares.on(gpu.as_ref());
            let launcher = Launcher {
                settings: Arc::clone(&launch),
                sources: sources.clone(),
                number,
                gpu,
                share,
                driver: driver.clone(),
                tuning: backend.tuning.clone(),
            };
            backend.drive(launcher, queue.clone());
        }
        backend.tasks.close();
        Ok(Arc::new(backend))
    }

    fn drive(&mut self, launcher: Launcher, queue: Queue) {
        let (ours, snapshot) = watch::channel(WorkerSnapshot {
            status: before_start(&launcher),
            broken: false,
        });
        let (commands, commanded) = mpsc::channel(COMMANDS);
        let parts = Parts {
            launcher,
            limits: self.limits,
            queue,
            snapshot: ours,
            commands: commanded,
            changed: Arc::clone(&self.changed),
            closing: self.closing.clone(),
        };
        self.tasks.spawn(Driver::new(parts).run());
        self.workers.push(Handle { snapshot, commands });
    }

    /// Lets each worker end its job, then stops all of them.
    pub async fn shut_down(&self) {
        self.closing.cancel();
        self.tasks.wait().await;
    }

    /// Changes whenever something about a worker did.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn status(&self) -> Vec<WorkerSnapshot> {
        self.workers
            .iter()
            .map(|worker| worker.snapshot.borrow().clone())
            .collect()
    }
}

/// The driver's version, and a GPU for each worker; none where GPUs were not to be looked for.
async fn find(choice: &GpuChoice) -> Result<(Option<String>, Vec<Option<Gpu>>), Failure> {
    if let GpuChoice::Unchecked(count) = choice {
        return Ok((None, (0..*count).map(|_| None).collect()));
    }
    let found = tokio::task::spawn_blocking(|| trellis_gpu::list(&[])).await;
    let found = found.map_err(|_| Failure::new(FailureKind::Internal, "looking for GPUs failed"))?;
    let found = found.map_err(|error| {
        warn!(error = &error as &dyn std::error::Error, "no GPUs");
        let kind = match error {
            GpuError::NoDriver { .. } | GpuError::Driver { .. } => FailureKind::DriverMissing,
        };
        Failure::new(kind, error.to_string())
    })?;
    let chosen = found.chosen(choice).map_err(|error| Failure {
        fix: "choose from those with `--gpus`, or leave it out to use all".to_owned(),
        ..Failure::new(FailureKind::DriverMissing, error.to_string())
    })?;
    if chosen.is_empty() {
        return Err(Failure::new(
            FailureKind::DriverMissing,
            "the NVIDIA driver reports no GPU",
        ));
    }
    Ok((Some(found.driver), chosen.into_iter().map(Some).collect()))
}

/// What a model can do with so many workers, wherever they are.
pub fn capabilities(model: Model, workers: usize) -> Capabilities {
    let made = |format: &Format| match format {
        Format::GaussianPly => model == Model::TrellisImageLarge,
        Format::Vxz => model == Model::Trellis2,
        _ => true,
    };
    Capabilities {
        name: backend_name(model),
        description: description(model),
        preview: false,
        formats: Format::ALL.into_iter().filter(made).collect(),
        multiview: true,
        slots: workers.max(1),
    }
}

fn before_start(launcher: &Launcher) -> WorkerStatus {
    WorkerStatus {
        name: launcher.name().to_string(),
        state: WorkerState::Starting,
        reason: "about to start".to_owned(),
        failure: None,
        job: None,
        pid: None,
        gpu: launcher.gpu().map(|gpu| gpu.uuid.clone()),
        gpu_name: launcher.gpu().map(|gpu| gpu.name.clone()),
        low_vram: false,
        versions: vec![],
        counters: WorkerCounters::default(),
    }
}

/// The best that any worker is: one that works suffices.
fn readiness(workers: &[WorkerSnapshot]) -> Readiness {
    let state =
        |worker: &&WorkerSnapshot| matches!(worker.status.state, WorkerState::Ready | WorkerState::Busy);
    if workers.iter().any(|worker| state(&worker)) {
        return Readiness::Ready;
    }
    if let Some(worker) = workers.iter().find(|worker| !worker.broken) {
        return Readiness::Starting {
            reason: format!("{}: {}", worker.status.name, worker.status.reason),
        };
    }
    let failure = workers.iter().find_map(|worker| worker.status.failure.clone());
    Readiness::Unavailable {
        failure: failure.unwrap_or_else(|| Failure {
            fix: "start them again with `trellis workers restart`".to_owned(),
            ..Failure::new(FailureKind::WorkerLost, "all workers were stopped")
        }),
    }
}

impl Workers for TrellisBackend {
    fn enqueue(&self, ticket: Ticket) {
        // Only where no worker was ever started; the closed ticket tells the caller.
        let _ = self.entry.send(ticket);
    }

    async fn unavailable(&self) -> Failure {
        let mut changes = self.changed.subscribe();
        loop {
            if let Readiness::Unavailable { failure } = Backend::readiness(self) {
                return failure;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[async_trait::async_trait]
impl Backend for TrellisBackend {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn choice(&self) -> BackendChoice {
        BackendChoice::Trellis
    }

    fn model(&self) -> Option<Model> {
        Some(self.model)
    }

    fn readiness(&self) -> Readiness {
        match &self.without {
            Some(failure) => Readiness::Unavailable {
                failure: failure.clone(),
            },
            None => readiness(&self.status()),
        }
    }

    fn variant(&self) -> Option<&str> {
        Some(&self.variant)
    }

    fn tuning(&self) -> Option<Sha256> {
        tuning::sha256(self.tuning.as_deref()?)
    }

    fn uses_python(&self) -> bool {
        true
    }

    fn textures_meshes(&self) -> Result<(), Failure> {
        self.no_meshes.clone().map_or(Ok(()), Err)
    }

    fn workers(&self) -> Vec<WorkerStatus> {
        self.status().into_iter().map(|worker| worker.status).collect()
    }

    fn command(&self, worker: &str, command: WorkerCommand) -> bool {
        let named = |handle: &&Handle| handle.snapshot.borrow().status.name == worker;
        let Some(handle) = self.workers.iter().find(named) else {
            return false;
        };
        handle.commands.try_send(command).is_ok()
    }

    async fn generate(
        &self,
        request: Request,
        reporter: &dyn Reporter,
        cancel: CancellationToken,
    ) -> Result<Output, GenerateError> {
        let mut output = make(self, &self.limits, &request, reporter, &cancel).await?;
        // A job of a new shape adds to the record, and is the same again with what it added.
        output.made_with.tuning = self.tuning();
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(state: WorkerState, broken: bool, failure: Option<Failure>) -> WorkerSnapshot {
        let status = WorkerStatus {
            name: "trellis-0".to_owned(),
            state,
            reason: "loading `slat_flow_model`, 2 of 6".to_owned(),
            failure,
            job: None,
            pid: None,
            gpu: None,
            gpu_name: None,
            low_vram: false,
            versions: vec![],
            counters: WorkerCounters::default(),
        };
        WorkerSnapshot { status, broken }
    }

    #[test]
    fn one_worker_that_works_suffices() {
        let broken = || {
            let failure = Failure::new(FailureKind::ExtensionAbi, "`_C.so` was built for another torch");
            worker(WorkerState::Failed, true, Some(failure))
        };
        assert_eq!(
            readiness(&[broken(), worker(WorkerState::Busy, false, None)]),
            Readiness::Ready
        );
        assert_eq!(
            readiness(&[broken(), worker(WorkerState::Loading, false, None)]),
            Readiness::Starting {
                reason: "trellis-0: loading `slat_flow_model`, 2 of 6".to_owned()
            }
        );
        let Readiness::Unavailable { failure } = readiness(&[broken(), broken()]) else {
            panic!("not told")
        };
        assert_eq!(failure.kind, FailureKind::ExtensionAbi);
        let Readiness::Unavailable { failure } = readiness(&[worker(WorkerState::Stopped, true, None)])
        else {
            panic!("not told")
        };
        assert!(failure.fix.contains("trellis workers restart"));
    }
}
