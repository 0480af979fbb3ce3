//! The contract of a backend.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use trellis_core::{
    AssetName, BackendChoice, Failure, FailureKind, Format, GenerateError, GpuUsed, JobId, Model, Params,
    Progress, Sha256, Timings, TraceParent, WorkerCommand, WorkerStatus,
};

/// What a backend is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name: `trellis` or `relief`.
    pub name: &'static str,
    /// What a person should know of its results, one sentence.
    pub description: &'static str,
    /// Whether its results only give an idea of what TRELLIS would make.
    pub preview: bool,
    /// The formats that it makes.
    pub formats: Vec<Format>,
    /// Whether it uses all views of an object, not only the first.
    pub multiview: bool,
    /// How many jobs it works on at a time, at least 1.
    pub slots: usize,
}

/// Whether a backend can work now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It will: loading, warming up, or restarting.
    Starting {
        /// What it is doing, one sentence.
        reason: String,
    },
    /// It cannot until somebody acts.
    Unavailable {
        /// Why, with the fix.
        failure: Failure,
    },
    /// No server has it now, and one may still come that has: its jobs wait.
    Absent {
        /// What is missing, one sentence.
        reason: String,
    },
}

impl Readiness {
    /// What to do where no server has a backend, one sentence.
    pub const ADVICE_WHERE_ABSENT: &str = "start a server that has it on this job store; docs/many-machines.md says how, and its jobs wait until then";

    /// Whether it works now or will without anybody's doing.
    pub fn may_work(&self) -> bool {
        matches!(self, Self::Ready | Self::Starting { .. })
    }
}

/// One job as a backend sees it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The job, for logs.
    pub job: JobId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The encoded pictures; more than one are views of one object.
    pub pictures: Vec<Bytes>,
    /// The encoded mesh that is to be textured as the pictures show it.
    pub mesh: Option<Bytes>,
    /// What the files are converted from, where this is an export; then there are no pictures.
    pub source: Option<SourceGlb>,
    /// What becomes of what is sampled.
    pub latents: Latents,
    /// What the object is called inside its files.
    pub name: AssetName,
    /// Checked parameters.
    pub params: Params,
    /// The trace that the job belongs to, for logs.
    pub traceparent: Option<TraceParent>,
    /// An empty folder of this attempt's own for files; removed afterwards.
    pub scratch: PathBuf,
}

/// What becomes of what a job samples, for backends that sample.
#[derive(Debug, Clone, Default)]
pub enum Latents {
    /// Nothing.
    #[default]
    Forget,
    /// It is left in a file beside the result.
    Keep,
    /// It is decoded: what an earlier job sampled. Nothing is sampled, and there are no pictures.
    Of(Bytes),
}

/// A GLB of an earlier job.
#[derive(Debug, Clone)]
pub struct SourceGlb {
    /// Its bytes.
    pub glb: Bytes,
    /// Which backend made it.
    pub made_by: Option<String>,
}

/// The bytes of a finished file.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Bytes(Bytes),
    /// In the request's scratch folder.
    File(PathBuf),
}

/// A finished file.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its file name, such as `model.glb`.
    pub name: String,
    /// What it is.
    pub format: Format,
    /// Its bytes.
    pub content: Content,
}

/// What a backend alone knows of how it made a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadeWith {
    /// The GPU.
    pub gpu: Option<GpuUsed>,
    /// Versions in its Python environment by name, such as `torch`.
    pub versions: BTreeMap<String, String>,
    /// Libraries that took part and whose licences allow no commercial use.
    pub non_commercial: Vec<String>,
    /// SHA-256 of the record by which kernels were chosen, as it was once the result was made.
    pub tuning: Option<Sha256>,
}

/// A result.
#[derive(Debug, Clone)]
pub struct Output {
    /// One file for each format asked for.
    pub files: Vec<Made>,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// What making it took.
    pub timings: Timings,
    /// How it was made, as far as the backend alone knows.
    pub made_with: MadeWith,
    /// What was sampled, a file in the request's scratch folder, where it was to be kept.
    pub latents: Option<PathBuf>,
}

/// Takes a backend's reports while it works. Calls return at once.
pub trait Reporter: Send + Sync {
    /// How far it is.
    fn progress(&self, progress: Progress);
}

/// Something that makes assets from pictures.
#[async_trait::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What it is and can do.
    fn capabilities(&self) -> &Capabilities;

    /// The choices that it serves, besides [`BackendChoice::Auto`] which the registry gives to the best.
    fn choice(&self) -> BackendChoice;

    /// The model that it runs; `None`: it makes something of its own, whatever the model.
    fn model(&self) -> Option<Model> {
        None
    }

    /// Whether it can work now.
    fn readiness(&self) -> Readiness;

    /// Which variant of its pipeline makes results, where it has several: one that is faster or less precise has a
    /// name of its own, so that no variant's results are taken for another's.
    fn variant(&self) -> Option<&str> {
        None
    }

    /// SHA-256 of the record by which it chooses kernels now, where it chooses them by timing: with another record it may
    /// add up in another order.
    fn tuning(&self) -> Option<Sha256> {
        None
    }

    /// Whether the Python environment and the model take part in what it makes.
    fn uses_python(&self) -> bool {
        false
    }

    /// Fails where it cannot texture a given mesh, with the reason.
    fn textures_meshes(&self) -> Result<(), Failure> {
        Err(Failure {
            fix: "send the mesh to a server that runs `trellis2-4b`".to_owned(),
            ..Failure::new(
                FailureKind::Unsupported,
                format!("`{}` does not texture meshes", self.capabilities().name),
            )
        })
    }

    /// The processes that it keeps, if it works in processes of its own.
    fn workers(&self) -> Vec<WorkerStatus> {
        Vec::new()
    }

    /// Has the worker of that name do something soon; `false` where there is none of that name.
    fn command(&self, _worker: &str, _command: WorkerCommand) -> bool {
        false
    }

    /// Makes the asset. Once `cancel` is set it stops soon, with [`GenerateError::Cancelled`].
    async fn generate(
        &self,
        request: Request,
        reporter: &dyn Reporter,
        cancel: CancellationToken,
    ) -> Result<Output, GenerateError>;
}
